/** A mob by its rooms: for tests that look at what no method gives. */
import { Mob, type MobConfig, type MobRooms } from "@atoll-run/atoll/mob";

export async function startRooms(config: MobConfig): Promise<MobRooms> {
  return (await Mob.start(config)).rooms;
}
