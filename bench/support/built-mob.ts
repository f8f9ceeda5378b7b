/** The mob as users get it; see built.ts. Apart, so that benches of the other tiers do not load it. */
import type * as Mobs from "@atoll-run/atoll/mob";
import type * as Mob from "@atoll-run/mob";
import type * as MobInternal from "@atoll-run/mob/internal";

const PACKAGES = new URL("../../build/node_modules/@atoll-run/", import.meta.url);

export const mobs = await import(new URL("atoll/dist/mob.js", PACKAGES).href) as typeof Mobs;
export const mobDoor = await import(new URL("mob/dist/index.js", PACKAGES).href) as typeof Mob;
export const mobInternal = await import(new URL("mob/dist/internal.js", PACKAGES).href) as typeof MobInternal;
