/** The memory drivers pass the chapters of their ports. */
import { kvChapters, memoryKv, memorySeries, seriesChapters } from "@atoll-run/testkit";

const durable = { skip: "it is memory" };

kvChapters({ name: "memory", open: memoryKv, durable });
seriesChapters({ name: "memory", open: memorySeries, durable });
