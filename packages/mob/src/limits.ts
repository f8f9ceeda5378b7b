/**
 * Limits of a mob, with unit and reason; `docs/mob/limits.md` is printed from here. A definition sets them under `[limits]`,
 * but those of `FIXED_LIMITS`; each breach has a typed error.
 */
export const MOB_LIMITS = {
  /** Members of a mob. */
  members: 50_000,
  /** Edges of one member. */
  edgesPerMember: 256,
  /** Unfinished turns of one member, then `mob.overloaded`; an accepted one is never dropped. */
  turnsMax: 256,
  /** Content and output of a turn; an output that has more is a blob. */
  contentBytesMax: 1_048_576,
  /** One record of a session, as JSON; the blocks of one that has more are a blob. */
  recordBytesMax: 1_048_576,
  /** One blob. */
  blobBytesMax: 26_214_400,
  /** Callers that bring or get a blob at the same time: it is in memory as a whole. */
  blobsAtOnceMax: 8,
  /** One value that programs keep with a mob, as JSON. */
  metaBytesMax: 65_536,
  /** Values that programs keep with a mob. */
  metaKeysMax: 1_024,
  /** Of the newest records of its session, what an agent is told with a turn. */
  historyBytesMax: 524_288,
  /** An agent's session is summarized when more than that came after its newest snapshot. */
  compactBytes: 393_216,
  /** The newest part of a session, which is not summarized. */
  compactKeepBytes: 65_536,
  /** A turn, from acceptance to the end, waits for approvals not counted. */
  turnMs: 600_000,
  /** How long the answer to a keyed send is kept. */
  keyWindowMs: 86_400_000,
  /** `data` of an entry. */
  entryBytesMax: 65_536,
  /** An output that has more does not stand in its entry and in memory: it is a document of its own. */
  outputInEntryBytesMax: 4_096,
  /** What stands of a body in an entry. */
  previewBytes: 1_024,
  /** Entries in memory behind the head: what a reader that keeps up is served from. */
  tailEntries: 4_096,
  /** Entries of one source, written and not yet committed; then the source waits. */
  uncommittedMax: 256,
  /** Entries of one reader in memory. */
  readerEntriesMax: 1_024,
  /** What one reader that has stalled costs at most. */
  readerBytesMax: 262_144,
  /** A socket that cannot be written for so long is closed. */
  stalledMs: 60_000,
  /** Rows of one page. */
  queryMax: 1_000,
  /** Rows of a page whose caller says nothing. */
  queryDefault: 256,
  /** Entries of one page. */
  queryBytesMax: 4_194_304,
  /** Entries that one query reads before it gives what it has, and where to go on. */
  scanMax: 100_000,
  /** For so many entries the ledger notes what stands in them, so that who asks for little reads little. */
  sliceEntries: 1_024,
  /** Entries that are older are taken away. */
  retentionMs: 2_592_000_000,
  /** When all entries take more than that, the oldest are taken away. */
  retentionBytes: 4_294_967_296,
  /** Entries of audit stay so long. */
  auditMs: 31_536_000_000,
  /** How often a store that takes nothing is tried. */
  storageProbeMs: 5_000,
  /** Entries between two snapshots of the roster: what a start has to read. */
  snapshotEvery: 10_000,
  /** Of a member without turn, queue and open approval, until it is dormant, where its profile says nothing. */
  idleMs: 600_000,
  /** Failed starts in a row, then the member is broken. */
  startTries: 5,
  /** Until code that is started must take turns: one that never does is ended, and the start has failed. */
  startMs: 60_000,
  /** Until the second try of a start, doubling. */
  startBackoffMs: 1_000,
  /** Between two tries of a start at most. */
  startBackoffMsMax: 60_000,
  /** Crashes within `crashWindowMs`, then the member is broken. */
  crashesMax: 5,
  /** How long a crash counts. */
  crashWindowMs: 300_000,
  /** Until a broken member is tried again by itself, doubling. */
  repairMs: 30_000,
  /** Between two such tries at most. */
  repairMsMax: 600_000,
  /** Failures of the same kind in a row, after which a broken member is left alone. */
  repairsSameMax: 3,
  /** What a member that is retired has for its queue. */
  drainMs: 30_000,
  /** For the turns that run, before the code of a member is read again. */
  reloadMs: 45_000,
  /** Members that `lazy_warm` starts at the same time without work. */
  warmAtOnce: 4,
  /** The same at most, and of `eager`. */
  warmAtOnceMax: 16,
  /** Open approvals of a mob, then new ones are refused. */
  approvalsOpenMax: 512,
  /** How long an approval waits for a decision, where its rule says nothing. */
  approvalMs: 600_000,
  /** How long a script, or code of this process, waits where it is; a longer time of its rule does not count there. */
  approvalInPlaceMs: 300_000,
  /** Runs of flows at the same time. */
  runsMax: 64,
  /** Steps of a flow. */
  stepsMax: 500,
  /** Members that one step asks at once: they are dispatched in one commit. */
  targetsMax: 500,
  /** For the turns of a run that is cancelled, until it is over without them. */
  cancelMs: 5_000,
  /** A step, where it says nothing. */
  stepMs: 300_000,
  /** A run, waits for approvals not counted. */
  runMs: 3_600_000,
  /** Members and edges that one pass of reconcile works on at the same time. */
  reconcileAtOnce: 16,
  /** Each act of such a pass. */
  reconcileActMs: 60_000,
  /** Passes that wait for the one that runs. */
  passesMax: 16,
  /** What the row of a member tells as the time of its lease. */
  leaseMs: 15_000,
  /** Members that were made by members: how deep. */
  helperDepthMax: 8,
  /** Members that one member has made and that are there. */
  helpersMax: 16,
  /** Requests over HTTP at the same time. */
  requestsMax: 1_024,
  /** Streams over HTTP. */
  streamsMax: 4_096,
  /** Streams of one principal. */
  streamsPerPrincipalMax: 64,
  /** The body of a request, but of a file. */
  jsonBytesMax: 1_048_576,
  /** The head of a request. */
  headerBytesMax: 16_384,
  /** A request that waits for nothing. */
  requestMs: 30_000,
  /** What a request may wait for: the end of a turn, a decision. */
  pollMs: 60_000,
  /** Requests of a batch, ids of one call. */
  batchMax: 50,
  /** How long a page is signed in. */
  sessionMs: 43_200_000,
  /** Pages that are signed in. */
  sessionsMax: 1_024,
  /** A printed link; it is used once. */
  linkMs: 600_000,
  /** What an `EventSource` takes along; it is used once. */
  streamTicketMs: 30_000,
  /** Links and tickets that nobody has used yet. */
  ticketsMax: 1_024,
} as const;

export type MobLimits = { readonly [K in keyof typeof MOB_LIMITS]: number };

/** Forms of the interface and of entries, which are the same in every mob. */
export const FIXED_LIMITS: ReadonlySet<string> = new Set<keyof MobLimits>([
  "previewBytes", "readerBytesMax", "queryMax", "queryDefault", "warmAtOnce", "warmAtOnceMax", "targetsMax", "leaseMs", "pollMs", "batchMax",
]);
