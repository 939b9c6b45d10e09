/** Divisible by 11 with a quotient below 65536: what `ProtectKeyWithNumericalPassword` asks of each group of six digits. */
const isGroup = (group: string): boolean => Number(group) % 11 === 0 && Number(group) <= 65_535 * 11;

const shape = /^\d{6}([- ]?)(?:\d{6}\1){6}\d{6}$/;

/**
 * A recovery password in its one stored form: eight groups of six digits with hyphens; undefined when it isn't one.
 * The check digit formula on Microsoft's page has a wrong sign (it fails for real passwords), so divisibility decides.
 */
export const canonicalRecoveryPassword = (text: string): string | undefined => {
  if (!shape.test(text)) return undefined;
  const groups = text.replace(/\D/g, "").match(/\d{6}/g) ?? [];
  return groups.every(isGroup) ? groups.join("-") : undefined;
};
