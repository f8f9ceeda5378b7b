/** Limits of a mob, with unit and reason. Each may be set by `[limits]`; each breach has a typed error. */
export const MOB_LIMITS = {
  /** The definition. */
  members: 50_000,
  edgesPerMember: 256,
  memberIdCharsMax: 128,
  /** Unfinished turns of one member, then `mob.overloaded`; an accepted one is never dropped. */
  turnsMax: 256,
  /** Content and output of a turn, bytes; an output that has more is a blob. */
  contentBytesMax: 1_048_576,
  /** Of one record of a session, as JSON; the blocks of one that has more are a blob. */
  recordBytesMax: 1_048_576,
  /** Of one blob; how many callers bring or get one at the same time that is in memory as a whole. */
  blobBytesMax: 26_214_400,
  blobsAtOnceMax: 8,
  /** Values that programs keep with a mob: of one, as JSON, and how many. */
  metaBytesMax: 65_536,
  metaKeysMax: 1_024,
  /** Of the newest records of its session, what an agent is told with a turn. */
  historyBytesMax: 524_288,
  /** An agent's session is summarized when more than that came after its newest snapshot, but for the newest part of it. Bytes. */
  compactBytes: 393_216,
  compactKeepBytes: 65_536,
  /** From acceptance to the end, waits for approvals not counted. */
  turnMs: 600_000,
  /** How long the answer to a keyed send is kept. */
  keyWindowMs: 86_400_000,
  /** `data` of an entry, bytes. */
  entryBytesMax: 65_536,
  /** Of these an output stands in its entry and in memory; more is a document of its own, bytes. */
  outputInEntryBytesMax: 4_096,
  /** What stands of a body in an entry, bytes. */
  previewBytes: 1_024,
  /** Entries in memory behind the head: what a reader that keeps up is served from. */
  tailEntries: 4_096,
  /** Of one source, written and not yet committed; then the source waits. */
  uncommittedMax: 256,
  /** Of one reader, in memory. */
  readerEntriesMax: 1_024,
  readerBytesMax: 262_144,
  /** A socket that cannot be written for so long is closed. */
  stalledMs: 60_000,
  queryMax: 1_000,
  queryDefault: 256,
  queryBytesMax: 4_194_304,
  scanMax: 100_000,
  /** For so many entries the ledger notes what stands in them, so that who asks for little reads little. */
  sliceEntries: 1_024,
  /** Entries that are older, or the oldest when all take more bytes than that, are taken away; those of audit stay longer. */
  retentionMs: 2_592_000_000,
  retentionBytes: 4_294_967_296,
  auditMs: 31_536_000_000,
  /** How often a store that takes nothing is tried. */
  storageProbeMs: 5_000,
  snapshotEvery: 10_000,
  /** Of a member without turn, queue and open approval, until it is dormant. */
  idleMs: 600_000,
  startTries: 5,
  /** Until code that is started must take turns: one that never does is ended, and the start has failed. */
  startMs: 60_000,
  startBackoffMs: 1_000,
  startBackoffMsMax: 60_000,
  crashesMax: 5,
  crashWindowMs: 300_000,
  /** Until a broken member is tried again by itself, doubling; and failures of the same kind in a row after which it is left alone. */
  repairMs: 30_000,
  repairMsMax: 600_000,
  repairsSameMax: 3,
  drainMs: 30_000,
  /** For the turns that run, before the code of a member is read again. */
  reloadMs: 45_000,
  /** Members that are started at the same time without work: of `lazy_warm`, and at most. */
  warmAtOnce: 4,
  warmAtOnceMax: 16,
  approvalsOpenMax: 512,
  approvalMs: 600_000,
  /** How long a script, or code of this process, waits where it is; a longer time of its rule does not count there. */
  approvalInPlaceMs: 300_000,
  runsMax: 64,
  stepsMax: 500,
  /** Members that one step asks at once: they are dispatched in one commit. */
  targetsMax: 500,
  /** For the turns of a run that is cancelled, until it is over without them. */
  cancelMs: 5_000,
  stepMs: 300_000,
  runMs: 3_600_000,
  /** Members and edges that one pass of reconcile works on at the same time, and the time of each act. */
  reconcileAtOnce: 16,
  reconcileActMs: 60_000,
  /** Passes that wait for the one that runs. */
  passesMax: 16,
  leaseMs: 15_000,
  leaseRenewMs: 5_000,
  leaseMarginMs: 2_000,
  /** Members that were made by members: how deep, and how many each has at once. */
  helperDepthMax: 8,
  helpersMax: 16,
  /** HTTP. */
  requestsMax: 1_024,
  streamsMax: 4_096,
  streamsPerPrincipalMax: 64,
  jsonBytesMax: 1_048_576,
  headerBytesMax: 16_384,
  requestMs: 30_000,
  pollMs: 60_000,
  batchMax: 50,
  /** Signed-in pages; what stands in a printed link, and what an `EventSource` takes along: each is used once. */
  sessionMs: 43_200_000,
  sessionsMax: 1_024,
  linkMs: 600_000,
  streamTicketMs: 30_000,
  ticketsMax: 1_024,
} as const;

export type MobLimits = { readonly [K in keyof typeof MOB_LIMITS]: number };
