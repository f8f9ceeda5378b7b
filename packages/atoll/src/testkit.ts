/** The door `@atoll-run/atoll/testkit`: what tests of agents and drivers stand on. */
export * from "@atoll-run/testkit";
