import type { KeyEvent } from "../input/key-decoder.ts";
import type { Live, Size } from "../layout/live.ts";
import { graphemes } from "../text/cells.ts";
import { clockText } from "./clock-text.ts";
import { Player, type PlayerParts } from "./player.ts";
import { type Asking, viewPlayer } from "./player-view.ts";

const longestTyped = 200;
const smallSeekMs = 5_000;
const largeSeekMs = 60_000;
const panStep = 8;

/** Keys to what the player does, and what it shows. */
export class PlayerScreen {
  readonly #sessionId: string;
  readonly #player: Player;
  readonly #onLeave: () => void;
  #asking: Asking | undefined;
  #help = false;
  #pan = { x: 0, y: 0 };
  #left = false;

  /** @param onLeave the user has seen enough */
  constructor(sessionId: string, parts: PlayerParts, onLeave: () => void) {
    this.#sessionId = sessionId;
    this.#player = new Player(parts);
    this.#onLeave = onLeave;
  }

  press(event: KeyEvent): void {
    // A paste holds no keys that somebody pressed; into a search it may go.
    if (event.pasted && (event.type === "key" || this.#asking === undefined)) return;
    if (event.type === "text") {
      if (event.pasted) this.#type(event.text);
      else for (const key of graphemes(event.text)) this.#pressKey(key, false, false);
    } else if (event.ctrl && (event.name === "c" || event.name === "d")) this.leave();
    else this.#pressKey(event.name, event.ctrl, event.shift);
  }

  view(size: Size): Live {
    if (this.#left) return { lines: [], cursor: undefined };
    const look = {
      player: this.#player.view,
      sessionId: this.#sessionId,
      asking: this.#asking,
      help: this.#help,
      pan: this.#pan,
    };
    return viewPlayer(look, size);
  }

  /** The server takes the screen. */
  pause(): void {
    this.#player.pause();
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#player.close();
    this.#onLeave();
  }

  /** What stays in the scrollback; the player is over. */
  close(): string {
    this.#left = true;
    this.#player.close();
    const { positionMs, durationMs } = this.#player.view;
    const total = durationMs === undefined ? "" : ` of ${clockText(durationMs)}`;
    return `Transcript of ${this.#sessionId}, left at ${clockText(positionMs)}${total}.`;
  }

  #pressKey(key: string, ctrl: boolean, shift: boolean): void {
    if (this.#left) return;
    this.#player.dismissMessage();
    if (this.#help) {
      this.#help = false;
      return;
    }
    if (this.#asking !== undefined) this.#answer(this.#asking, key, ctrl);
    else if (key === "left" || key === "right") this.#sideways(key === "left" ? -1 : 1, ctrl, shift);
    else if (!ctrl) this.#command(key);
  }

  #sideways(direction: 1 | -1, ctrl: boolean, shift: boolean): void {
    if (shift) this.#pan = { ...this.#pan, x: this.#pan.x + direction * panStep };
    else this.#player.seekBy(direction * (ctrl ? largeSeekMs : smallSeekMs));
  }

  #command(key: string): void {
    const player = this.#player;
    if (/^[0-9]$/.test(key)) {
      this.#asking = { kind: "time", text: key };
      return;
    }
    switch (key) {
      case " ":
        return player.playOrPause();
      case ".":
        return player.step();
      case "<":
      case "[":
        return player.changeSpeed(-1);
      case ">":
      case "]":
        return player.changeSpeed(1);
      case "n":
        return player.jump("command", 1);
      case "p":
        return player.jump("command", -1);
      case "d":
        return player.jump("disclosure", 1);
      case "D":
        return player.jump("disclosure", -1);
      case "i":
        return player.toggleIdle();
      case "home":
        return player.seek(0);
      case "end":
        return player.seekToEnd();
      case "enter":
        return player.needle === "" ? undefined : player.search(player.needle);
      case "escape":
        return player.interrupt();
      case "q":
        return this.leave();
      case "g":
        this.#asking = { kind: "time", text: "" };
        return undefined;
      case "/":
        this.#asking = { kind: "search", text: "" };
        return undefined;
      case "?":
        this.#help = true;
        return undefined;
      case "up":
      case "down":
        this.#pan = { ...this.#pan, y: this.#pan.y + (key === "up" ? -1 : 1) };
        return undefined;
      default:
        return undefined;
    }
  }

  #type(text: string): void {
    const asking = this.#asking;
    if (asking !== undefined) this.#asking = { ...asking, text: (asking.text + text).slice(0, longestTyped) };
  }

  #answer({ kind, text }: Asking, key: string, ctrl: boolean): void {
    if (key === "escape" || (ctrl && key === "g")) this.#asking = undefined;
    else if (ctrl && key === "u") this.#asking = { kind, text: "" };
    else if (key === "backspace") this.#asking = { kind, text: graphemes(text).slice(0, -1).join("") };
    else if (key === "enter") {
      if (kind === "search") {
        this.#asking = undefined;
        if (text !== "") this.#player.search(text);
        // What is no time stays, to be put right.
      } else if (text === "" || this.#player.seekTo(text)) this.#asking = undefined;
    } else if (!ctrl && graphemes(key).length === 1) this.#type(key);
  }
}
