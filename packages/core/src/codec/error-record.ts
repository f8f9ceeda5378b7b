/** An error as it travels (spec: wire 2 and 3.1). `protocol/wire-error.ts` turns it into a fault and back. */
import { defineShape, field, words } from "./shape.ts";

export interface WireErrorDetail {
  readonly kind: number;
  readonly retry?: "never" | "elsewhere" | "later";
  readonly retry_after_ms?: number;
  readonly business_code?: string;
  readonly business_body?: Uint8Array;
  readonly content_type?: string;
  readonly service_name?: string;
  readonly hint?: string;
  readonly issues: readonly string[];
  readonly uncertain?: boolean;
}

export interface WireError {
  readonly code: number;
  /** At most 4 KiB; what is longer is cut. */
  readonly message: string;
  /** Only from and for peers that know our extensions. */
  readonly detail?: WireErrorDetail;
}

export const ERROR_DETAIL_SHAPE = defineShape("actr.ErrorDetail", [
  field("1! kind u32"),
  field("2? retry enum", { values: words({ 0: "never", 1: "elsewhere", 2: "later" }) }),
  field("3? retry_after_ms count"), field("4? business_code text"), field("5? business_body bytes"),
  field("6? content_type text"), field("7? service_name text"), field("8? hint text"),
  field("9* issues text"), field("10? uncertain bool"),
]);

export const ERROR_SHAPE = defineShape("actr.ErrorResponse", [
  field("1! code u32"), field("2! message text"),
  field("1000? detail message", { shape: ERROR_DETAIL_SHAPE }),
]);
