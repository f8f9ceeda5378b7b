/** The memory drivers pass the chapters of their ports. */
import { memoryBlobs } from "@atoll-run/core";
import { blobChapters, kvChapters, memoryKv, memorySeries, seriesChapters } from "@atoll-run/testkit";

const durable = { skip: "it is memory" };

blobChapters({ name: "memory", open: async () => memoryBlobs(), durable });
kvChapters({ name: "memory", open: memoryKv, durable });
seriesChapters({ name: "memory", open: memorySeries, durable });
