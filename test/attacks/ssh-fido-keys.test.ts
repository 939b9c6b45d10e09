import { describe, expect, test } from "vitest";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";
import { ed25519Key, fidoEcdsaKey, fidoEd25519Key, makeCertificate } from "../harness/signing-key.ts";
import type { SigningOptions } from "../harness/signing-key.ts";

/* Signatures are made by hand after OpenSSH's PROTOCOL.u2f. No FIDO hardware was tried. */

const [present, verified] = [1, 5];

describe.each([
  ["sk-ssh-ed25519", fidoEd25519Key],
  ["sk-ecdsa-sha2-nistp256", fidoEcdsaKey],
])("%s", (_name, make) => {
  const key = make();
  const login = (options: string, signing: SigningOptions): string =>
    outcome(attemptLogin({ key, signing, trust: trusting({ lines: [authorizedLine(key, options)] }) }));

  /*
   * ATTACK  Malware on the user's machine asks a FIDO key that is plugged in to sign while nobody touches it.
   * DANGER  The key proves that it is there, not that somebody is.
   * EXPECT  Refused, unless the line says no-touch-required.
   */
  test("a signature without a touch is refused", () => {
    expect(login("", { flags: present })).toBe("in");
    expect(login("", { flags: 0 })).toBe("the FIDO key was not touched");
    expect(login("", { flags: 4 })).toBe("the FIDO key was not touched");
    expect(login("no-touch-required", { flags: 0 })).toBe("in");
  });

  /*
   * ATTACK  A stolen FIDO key is touched by the thief, who doesn't know its PIN.
   * DANGER  verify-required asked for a PIN, and nobody looked whether there was one.
   * EXPECT  Refused without the flag that says so.
   */
  test("verify-required wants the PIN as well as the touch", () => {
    expect(login("verify-required", { flags: present })).toBe("the FIDO key was used without its PIN");
    expect(login("verify-required", { flags: verified })).toBe("in");
    expect(login("verify-required,no-touch-required", { flags: 4 })).toBe("in");
  });

  /*
   * ATTACK  A web page has the same authenticator sign for its own application and passes that on.
   * DANGER  A log-in to a web site logs in here.
   * EXPECT  Refused: the application is under the signature.
   */
  test("a signature for another application is refused", () => {
    expect(login("", { application: "https://example.com" })).toBe("the signature is wrong");
    expect(login("", { application: "" })).toBe("the signature is wrong");
  });

  /*
   * ATTACK  The flags or the counter are changed after the key has signed.
   * DANGER  "Touched" is written in by whoever forwards the signature.
   * EXPECT  Refused: both are under the signature.
   */
  test("flags and counter are under the signature", () => {
    const forging = {
      ...key,
      sign: (bytes: Uint8Array): Buffer => {
        const whole = key.sign(bytes, { flags: 0 });
        whole.writeUInt8(present, whole.length - 5);
        return whole;
      },
    };
    const trust = trusting({ lines: [authorizedLine(key)] });
    expect(outcome(attemptLogin({ key: forging, trust }))).toBe("the signature is wrong");
    const verdict = attemptLogin({ key, trust, signing: { flags: verified, counter: 4_000_000_000 } });
    expect(verdict).toMatchObject({ fido: { userPresent: true, userVerified: true, counter: 4_000_000_000 } });
  });

  /*
   * ATTACK  A certificate asks for a PIN, or its authority's line does, and the other of the two doesn't.
   * DANGER  The laxer of the two counts.
   * EXPECT  What either asks for is asked; a touch is left out only where both say so.
   */
  test("a certificate and the line that trusts its authority both count", () => {
    const authority = ed25519Key();
    const by = (lineOptions: string, extensions: readonly string[], verify: boolean, flags: number): string => {
      const lines = [authorizedLine(authority, `cert-authority${lineOptions}`)];
      const certificate = makeCertificate({
        key,
        authority,
        extensions,
        critical: verify ? [["verify-required", null]] : [],
      });
      return outcome(attemptLogin({ key, certificate, trust: trusting({ lines }), signing: { flags } }));
    };
    expect(by("", [], false, present)).toBe("in");
    expect(by(",verify-required", [], false, present)).toBe("the FIDO key was used without its PIN");
    expect(by(",verify-required", [], false, verified)).toBe("in");
    expect(by("", [], true, present)).toBe("the FIDO key was used without its PIN");
    expect(by("", [], true, verified)).toBe("in");
    expect(by("", ["no-touch-required"], false, 0)).toBe("the FIDO key was not touched");
    expect(by(",no-touch-required", [], false, 0)).toBe("the FIDO key was not touched");
    expect(by(",no-touch-required", ["no-touch-required"], false, 0)).toBe("in");
  });
});
