/** An isle of any engine, as its thread sees it; and one whose engine is still being loaded. */
import type { ToThread } from "./protocol.ts";

export interface IsleTenant {
  /** Hears a message for the isle. Contract: never throws. */
  hear(message: ToThread): void;
  /** Lets go of the isle; `closed` is called when it is gone. */
  close(closed: () => void): void;
}

/** Keeps messages until the isle is there. */
export class OpeningTenant implements IsleTenant {
  #tenant: IsleTenant | undefined;
  #heard: ToThread[] = [];
  #closed: (() => void) | undefined;

  /** `failed` is told why the isle cannot be opened. */
  constructor(opening: Promise<IsleTenant>, failed: (error: unknown) => void) {
    opening.then((tenant) => this.#open(tenant), (error: unknown) => {
      failed(error);
      this.#closed?.();
    });
  }

  hear(message: ToThread): void {
    if (this.#tenant === undefined) this.#heard.push(message);
    else this.#tenant.hear(message);
  }

  close(closed: () => void): void {
    if (this.#tenant === undefined) this.#closed = closed;
    else this.#tenant.close(closed);
  }

  #open(tenant: IsleTenant): void {
    this.#tenant = tenant;
    for (const message of this.#heard.splice(0)) tenant.hear(message);
    if (this.#closed !== undefined) tenant.close(this.#closed);
  }
}
