/** What became of an ask. */
import type { Fault } from "@atoll-run/core";

/** Whether it ran at the other end. */
export type Ran = "no" | "maybe" | "yes";

export type Delivered =
  | { readonly is: "reply"; readonly payload: Uint8Array; readonly content_type?: string }
  | { readonly is: "told"; readonly level: "accepted" | "sent"; readonly duplicate: boolean }
  | { readonly is: "failed"; readonly fault: Fault; readonly ran: Ran };
