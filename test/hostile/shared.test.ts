// As hostile.test.ts, on a thread that the attack shares with its neighbour: there only giving way keeps others alive.
import { createPool } from "@atoll-run/atoll";
import { attacks } from "./attacks.ts";

attacks("on threads it shares with them", (all) => all.filter(({ shared }) => shared === true), (home) => createPool({ max: 2, home }));
