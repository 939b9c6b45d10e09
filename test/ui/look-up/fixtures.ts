import type { UiCandidate, UiLookUp } from "../../../ui/protocol.ts";

export const reasons = ["Operating system boot order changed", "BIOS changed", "Lost startup key", "Lost PIN", "Other"];

export const rights: UiLookUp = {
  minimumNameCharacters: 3,
  minimumIdCharacters: 4,
  reason: { offered: reasons, isNeeded: true, isListed: false },
};

export const at = "2026-11-30T09:00:00.000Z";

export const candidate = (more: Partial<UiCandidate> = {}): UiCandidate => ({
  computerName: "LAPTOP-007",
  volumeType: "OperatingSystem",
  keyId: "3A78B34B-1111-4222-8333-0123456789AB",
  updated: "2026-11-09T09:00:00.000Z",
  state: "Current",
  ...more,
});

export const candidates: readonly UiCandidate[] = [
  candidate(),
  candidate({
    keyId: "77AA0001-3A78-4222-8333-0123456789AB",
    updated: "2025-11-01T09:00:00.000Z",
    state: "Replaced",
  }),
  candidate({
    computerName: "FINANCE-3A78",
    volumeType: "FixedData",
    keyId: "09F00002-0000-4222-8333-0123456789AB",
    updated: "2026-11-30T07:30:00.000Z",
  }),
];
