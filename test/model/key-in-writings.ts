import { inScript } from "./ways-to-write.ts";

/** One made-up recovery password, and what is left of it in a text: the tests' own reading, not the product's. */
export const key = "235818-357951-253979-013365-241120-245575-342914-591910";
const groups = key.split("-");
const threes = groups.flatMap((group) => [group.slice(0, 3), group.slice(3)]);

/** The key as people write and read it out. */
export const writings = {
  "as it is printed": key,
  "without separators": groups.join(""),
  "in full-width digits": inScript(key, 0xff10),
  "in Arabic digits": inScript(key, 0x660),
  "in groups of three": threes.join(" "),
  "in groups of three, with dots": threes.join("."),
  "with dots": groups.join("."),
  "with words between": groups.join(" then comes "),
  "with a label before each": groups.map((group, index) => `Block${index + 1}=${group}`).join(" "),
  "numbered, in groups of three": groups
    .map((group, index) => `${index + 1}) ${group.slice(0, 3)} ${group.slice(3)}`)
    .join(", "),
  numbered: groups.map((group, index) => `${index + 1}. ${group}`).join(" "),
  "half of it, digit by digit": groups.slice(0, 4).join("").split("").join(" "),
} as const;

/** The writings that have no blank, as a name has none. */
export const namesOfKey = ["without separators", "in groups of three, with dots", "with dots"] as const;

/** Which groups of the key a text still holds, however it writes its digits. */
export const groupsLeftIn = (text: string): readonly string[] => {
  const digits = text
    .normalize("NFKC")
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[^0-9]/g, "");
  return groups.filter((group) => digits.includes(group));
};
