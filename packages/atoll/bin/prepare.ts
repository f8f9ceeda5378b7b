/** Run once by the build, in the built program: lays what each start would have to compile beside its code. */
import { prepare } from "@atoll-run/block/internal";

await prepare(import.meta.dirname);
