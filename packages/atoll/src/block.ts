/** The door `@atoll-run/atoll/block`: the block without drivers, for those who bring their own. */
export * from "@atoll-run/block";
