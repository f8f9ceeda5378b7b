/** What a test does to a memory net; the testkit has one (`netTroubles`). Nodes are named by the texts of their ids. */
import type { Lane } from "@atoll-run/core";

export interface NetTroubles {
  /**
   * After how many milliseconds this body arrives, each time that it does: `[]` = never, `[0, 5]` = twice. Bodies of
   * ordered lanes never overtake each other.
   */
  fate(from: string, to: string, lane: Lane): readonly number[];
  /** After how many milliseconds a dial is heard; undefined = never. */
  dial(from: string, to: string): number | undefined;
}
