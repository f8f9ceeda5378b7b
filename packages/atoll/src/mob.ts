/** Mobs: `@atoll-run/atoll/mob`. A door of its own: whoever runs blocks or nodes alone need not load it. */
export {
  compareCursors, defineMob, memberAt, readDefinition, MobError, type LinkedContext, type LinkedFactory, type LinkedHandler, type LinkedTurn,
  type MobDefinition, type MobHooks, type MobRooms, type PhaseReport, type ShutdownReport, type Ticket, type Turn, type TurnAsk, type TurnCursor,
} from "@atoll-run/mob";
export { loadMob } from "./compose/load-mob.ts";
export { Mob, type MobConfig } from "./compose/mob.ts";
export type { ActingAs, MobHandle } from "./compose/mob-handle.ts";
export { serveMob, type ServedMob, type ServeMobOptions } from "./compose/mob-http.ts";
