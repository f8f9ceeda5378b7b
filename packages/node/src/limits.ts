/**
 * Limits of a node, a group for each room (spec: node 12). Times are milliseconds. Whoever composes a node may
 * give others; what other implementations count on stands in `WIRE_LIMITS` of core.
 */
const MINUTE_MS = 60_000;
const KIB = 1_024;
const MIB = 1_024 * KIB;

export const NODE_LIMITS = {
  mailbox: {
    /** Rows at which backpressure is told; it ends at half. */
    softRowsMax: 1_024,
    /** Rows, queued and running. Their heads stand in memory, some 500 bytes each. */
    hardRowsMax: 8_192,
    hardBytesMax: 256 * MIB,
    /** Rows of one sender: it must not take the room of the others. */
    senderRowsMax: 2_048,
    /** Share of the rows that only the high class may use. */
    highShare: 0.1,
    /** Free bytes on the disk below which nothing is accepted: what was accepted must still be finished. */
    diskFloorBytes: 256 * MIB,
    /** How old the last look at the disk may be. */
    diskLookMs: 1_000,
    /** Bytes of all mailboxes of a process. */
    processBytesMax: 4 * KIB * MIB,
    /** Remembered answers of a process, and their bytes. */
    dedupEntriesMax: 1_000_000,
    dedupBytesMax: KIB * MIB,
    dedupTtlMs: 10 * MINUTE_MS,
    dedupTtlMsMax: 7 * 24 * 60 * MINUTE_MS,
    /** Answers that are over are dropped together, not each at its instant. */
    forgetEveryMs: 5_000,
    /** Dead letters of accepted messages; at the cap nothing more is accepted. */
    lettersMax: 10_000,
    letterBytesMax: 256 * MIB,
    /** Dead letters of frames that were never accepted; the oldest gives way. */
    frameLettersMax: 1_000,
    /** The same of one peer, a minute. */
    frameLettersPerMinute: 10,
    /** Peers whose frames are counted. */
    framePeersMax: 1_024,
    /** UTF-16 units of a stack in a dead letter. */
    stackMax: 8 * KIB,
    /** One group commit. */
    commitOps: 512,
    commitBytes: MIB,
    /** A commit without an answer for so long: the store is broken, and the node ends. */
    commitMsMax: 30_000,
    /** Bodies in memory beside those of running handlers; the others wait on the disk. */
    bodiesMax: 256,
    /** Waits after a failed commit: from, to. From `storeDownMs` on the node is not ready. */
    storeBackoffMs: 100,
    storeBackoffMsMax: 5_000,
    storeDownMs: 5_000,
    /** Bounds of `retry_after_ms` when there is no room. */
    retryAfterMsMin: 100,
    retryAfterMsMax: 30_000,
    /** Duplicates of one request that wait with it: each holds its bytes. */
    joinsMax: 64,
    /** Bytes of an order key; it is stored with each row. */
    keyBytesMax: 4 * KIB,
  },
  dispatch: {
    /** Handlers that run at once. */
    runningMax: 64,
    /** Calls and tells that follow from one another. */
    chainDepthMax: 32,
    /** One of so many picks is a normal message, whatever waits in the high class. */
    normalEvery: 8,
    /** A message that has waited so long counts as high. */
    agedMs: 5_000,
    /** Suspects that have waited so long no longer let others pass. */
    suspectPatienceMs: 30_000,
    callAttempts: 1,
    tellAttempts: 5,
    backoffMs: 1_000,
    backoffMsMax: 30_000,
    /** Back-offs are off by up to this share, either way. */
    backoffSpread: 0.2,
    tellHandlerMs: 5 * MINUTE_MS,
    /** Runs begun that the process did not survive. */
    crashesMax: 10,
    crashBackoffMs: 1_000,
    crashBackoffMsMax: 5 * MINUTE_MS,
    /** Runs that found what they had read changed. */
    conflictsMax: 8,
    /** Writes of one handler: its completion is one commit. */
    writesMax: 480,
    /** How long a handler that was told to stop still keeps its order key and its place. */
    stoppingMs: 5_000,
    /** A key held so long across a call, while others wait for it, is logged. */
    deadlockMs: 10_000,
    /** What a handler has put into the outbox is given up after this. */
    outboxTtlMs: 60 * MINUTE_MS,
    drainMs: 10_000,
    /** Share of the time to drain after which handlers are told. */
    drainSignalShare: 0.8,
  },
  hooks: {
    /** One hook of the workload, or one observer: a hook that hangs must not hold up the others. */
    hookMsMax: 5_000,
    /** onStart and onReady: a workload may open databases and warm up. */
    lifecycleMsMax: 30_000,
    /** Events that wait for the hooks; from here on connection events of one peer collapse. */
    eventsMax: 1_024,
    /** Events that are always kept may go this far; beyond it errors are dropped and counted. */
    keptEventsMax: 4_096,
    /** Observers, and readers of `events()`: more is a leak. */
    hearersMax: 64,
  },
  wire: {
    /** One message, either way; what others may count on unless told otherwise. At most `messageBytesCeiling`. */
    messageBytesMax: 16 * MIB,
    /** Bytes that wait in one link: above it senders wait, below the low mark they go on. */
    bufferedBytesHigh: MIB,
    bufferedBytesLow: 256 * KIB,
    /** Connections of a node, those that are not proved yet included: a descriptor and some 20 KiB each. */
    connectionsMax: 10_000,
    /**
     * New ones in a second, and at once: each costs three signatures, and peers that are there wait behind a burst.
     * Beyond it whoever knocks is asked to come again.
     */
    connectionsPerSecond: 100,
    connectionsBurst: 50,
    /** Upgrade, hello and proof together. */
    handshakeMsMax: 5_000,
    /** All that a connection may send before it is proved; a hello, a credential and a proof need a tenth. */
    handshakeBytesMax: 32 * KIB,
    /** Messages that one peer may send in a second, and at once; beyond it nothing is read for a while. */
    peerMessagesPerSecond: 1_000,
    peerMessagesBurst: 2_000,
    /** A connection that was silent so long is asked whether it lives, and ended when it says nothing. */
    pingMs: 15_000,
    deadMs: 45_000,
    /** How long the other end may take to say goodbye. */
    closeMsMax: 2_000,
    /** Pieces of one message: more are not a message but an attack. */
    fragmentsMax: 16_384,
    /** When to come again, told to whoever is refused because of load, or before the node is open. */
    retryAfterMs: 1_000,
    /** The same of a crowd: each is told a later time, up to this. Later, and strangers who knock would keep nodes away. */
    retryAfterMsMax: 2_000,
  },
  transport: {
    /** Links to one peer; the oldest gives way. A second one is there while both dial, or one dies unseen. */
    linksPerPeerMax: 4,
    /** One try to reach a peer, all its addresses together. */
    dialMsMax: 30_000,
    /** Sends of one lane that wait: what is over it waits too, and is refused as overloaded when its time is over. */
    laneMessagesMax: 1_024,
    laneBytesMax: 8 * MIB,
    /** Sends of one lane beyond which none may wait at all. */
    laneSendersMax: 4_096,
    /** What a body counts for that is made later and whose size nobody named. */
    unknownBodyBytes: KIB,
    /** Before a newer link takes over, the older one shows that everything on it has arrived. */
    switchMsMax: 2_000,
    /** How long a link outlives the credential of its peer: its skew, and the time to renew. */
    skewMs: MINUTE_MS,
    expiredLinkMsMax: 15 * MINUTE_MS,
  },
  identity: {
    /** How far the clocks of two machines may be apart. */
    skewMs: MINUTE_MS,
    /** Bytes of the claims of a credential: an id and a key need a tenth of it. */
    claimsBytesMax: 4 * KIB,
    /** Keys of realms that are remembered; a realm has about three that are valid. */
    keysMax: 64,
    /** A key that is not there is not asked for again so soon. */
    keyMissingMs: 30_000,
    /** Key numbers that are remembered as missing; strangers choose them. */
    keysMissingMax: 1_024,
    /** How long the question for a key may take. */
    keyFetchMsMax: 3_000,
    /** Questions for keys at one time: strangers choose the numbers. */
    keyFetchesMax: 8,
    /** Credentials whose signature need not be checked again: some 300 bytes each. */
    signedMax: 1_024,
    /** Ids that are remembered as revoked; the oldest is forgotten. */
    revokedMax: 65_536,
    /** One request to the identity service. */
    requestMsMax: 30_000,
    /** One answer of the identity service. */
    answerBytesMax: 2 * MIB,
  },
  gate: {
    /** A call whose caller names no deadline. */
    callMs: 30_000,
    /** A tell whose teller names no deadline: the waits between five attempts, and a second. */
    tellMs: 13_000,
    /** Asks without an answer, in all and to one peer: each holds a timer and its bytes. */
    pendingMax: 65_536,
    pendingPerPeerMax: 4_096,
    /** Hops of one chain: two nodes that call each other for ever must end. */
    depthMax: 32,
    /** Requests of one peer that wait for the intake to open, and how long. */
    earlyMax: 64,
    earlyMsMax: 5_000,
    /** Frames of one link a minute that cannot be read; with the next one it is closed. */
    unreadableMax: 10,
    /** Silence of a peer after which a call that timed out has the link probed, and how long the probe takes. */
    silenceMs: 10_000,
    probeMsMax: 2_000,
    /** How long an answer waits for room in its lane. */
    replyMsMax: 15_000,
    /** Asks that ended without an answer and are remembered, to tell a late answer from a foreign one. */
    lateMax: 1_024,
    /** One line of a refusal by the rules so often, for each peer. */
    auditMs: 1_000,
    /** Failures in a row after which a node of a type is left alone, and for how long. */
    failuresMax: 3,
    ejectMs: 10_000,
    /** Nodes whose failures are counted. */
    candidatesMax: 1_024,
    /** Texts of sticky asks whose node is remembered, the longest unused goes first; and how long one may be. */
    stickyMax: 4_096,
    stickyBytesMax: 128,
    /** Waits between attempts to send what is in the outbox: the first, doubled up to the second, ± 20 %. */
    postFirstMs: 1_000,
    postMsMax: 30_000,
    /** Receivers that are sent parcels at one time. */
    roundsMax: 64,
    /** Verdicts of the rules that are remembered for one peer: routes are a stranger's words. */
    verdictsMax: 256,
  },
  credential: {
    /** How long before its end a credential is renewed, at most; a fifth of its life if that is less. */
    leadMs: 5 * MINUTE_MS,
    /** Nodes that were started together do not renew together. */
    jitterMs: 30_000,
    /** How long open lanes live on after the end. */
    graceMs: 15 * MINUTE_MS,
    /** First wait after a failed renewal; doubles. */
    retryMs: 5_000,
    retryMsMax: MINUTE_MS,
    /** What a realm may ask us to wait. */
    pauseMsMin: 1_000,
    pauseMsMax: 10 * MINUTE_MS,
    /** Between two questions of a node that the realm has suspended. */
    suspendedMs: 5 * MINUTE_MS,
  },
  recovery: {
    /** A whole attempt to connect, all tries together. */
    connectMsMax: 30_000,
    connectTriesMax: 4,
    /** One try: 5 s for the roles and 10 s for the wire. */
    tryMsMax: 15_000,
    connectBackoffMs: 1_000,
    connectBackoffMsMax: 10_000,
    recoverMsMax: 60_000,
    recoverTriesMax: 10,
    recoverTryMsMax: 6_000,
    /** Between two offers. */
    offerMsMin: 2_000,
    /** A wire that is down so long is gone; shorter cuts mend themselves. */
    downMs: 2_000,
    drainMsMax: 5_000,
    /** How long the object of a closed connection is kept. */
    objectMsMax: 500,
    /** Network events of one window become one action. */
    settleMs: 400,
    /** Whoever reported an event gets its result by then; sends wait no longer for it. */
    resultMsMax: 5_000,
    probeMsMax: 1_000,
    /** A program that was in the background so long has lost its connections. */
    longBackgroundMs: 30_000,
    /** Between two looks at the interfaces of the machine. */
    interfacesMs: 5_000,
    /** Callers that wait for one window. */
    callersMax: 1_024,
  },
  streams: {
    /** What a writer may have on its way and unread: bytes and chunks. */
    windowBytes: MIB,
    windowChunks: 256,
    /** One item: with what the reader grants late it still fits into the window. */
    itemBytesMax: 896 * KIB,
    /** A reader grants more when it has handled so much since it last did. */
    grantChunks: 64,
    grantBytes: 128 * KIB,
    /** Items that wait for a reader: from here on a reliable stream grants nothing, a lossy one drops the oldest. */
    queueMax: 64,
    /** Writes of one stream that wait for credit. */
    writesMax: 1_024,
    /** Open streams of one peer, both ways together. */
    perPeerMax: 1_024,
    /** A stream on which nothing happens. */
    idleMs: 5 * MINUTE_MS,
    /** How long a stream outlives its link. */
    resumeMs: MINUTE_MS,
    /** Between two tries to reach a peer for a resume. */
    resumeWaitMs: 1_000,
    /** How long one chunk waits for room in its lane. */
    chunkMsMax: 15_000,
    /** How long a reader may take to accept a stream. */
    openMsMax: 30_000,
    /** Chunks of a legacy peer that come before anybody has registered for them, for each peer. */
    earlyMs: 2_000,
    earlyChunksMax: 16,
    earlyBytesMax: 256 * KIB,
    /** Streams that are over and remembered, should the last word to their writer be lost. */
    finishedMax: 1_024,
  },
  signaling: {
    /** Opening a connection, its handshake included. */
    connectMsMax: 30_000,
    /** One question and its answer. */
    replyMsMax: 5_000,
    /** A socket is asked for a sign of life so often, and is dead after so long a silence. */
    pingMs: 5_000,
    deadMs: 10_000,
    /** Between two heartbeats; 0 = as the realm wants it. */
    heartbeatMs: 0,
    /** First wait before connecting again; doubles. Full jitter: a fleet must not come back at once. */
    reconnectMs: 1_000,
    reconnectMsMax: MINUTE_MS,
    /** A realm that closes at once would be dialled for ever at the first wait: only after so long it begins anew. */
    steadyMs: 10_000,
    /** What a realm may ask us to pause. */
    pauseMsMax: 10 * MINUTE_MS,
    /** Questions without an answer. */
    pendingMax: 1_024,
    /** Bytes of one frame: an SDP with all its candidates is a hundredth of it. */
    frameBytesMax: 2 * MIB,
    /** Bytes that wait for a slow realm. */
    bufferedBytesMax: 4 * MIB,
  },
  discovery: {
    /** Candidates of one answer. */
    candidatesMax: 8,
    /** Those looked through for the address of one node. */
    addressesOfTypeMax: 64,
    cacheMs: 30_000,
    cacheEmptyMs: 2_000,
    addressMs: 5 * MINUTE_MS,
    /** Types and nodes that are remembered. */
    typesMax: 1_024,
    nodesMax: 16_384,
    /** Where a realm tells no end of a node, it is looked for so often. */
    refreshMs: MINUTE_MS,
    /** Watches, and events that wait for the reader of one: the oldest of a node is replaced. */
    watchesMax: 256,
    presenceMax: 1_024,
  },
  observe: {
    /** Routes that metrics name; a block may take any, and names come from outside: all later ones are `other`. */
    routeLabelsMax: 100,
    /** Peers whose lost connection is remembered, to tell how long it took to come back. */
    lostPeersMax: 1_024,
  },
  life: {
    /** All steps of a start together. */
    startMsMax: 60_000,
    /** Undoing one step, and all: what hangs must not keep a program from trying again. */
    undoStepMsMax: 5_000,
    undoMsMax: 15_000,
    /** The whole of an orderly end; the steps have their shares of it. */
    closeMsMax: 30_000,
    /** Telling the realm that this node leaves. */
    announceMsMax: 1_000,
    /** Streams end by themselves; the rest is reset. */
    streamsMsMax: 3_000,
    /** Handlers end by themselves; after a part of it they are told (`drainSignalShare`). */
    handlersMsMax: 10_000,
    /** Replies leave their lanes. */
    repliesMsMax: 3_000,
    /** onStop, and the end of the workload. */
    workloadMsMax: 5_000,
    unregisterMsMax: 3_000,
    /** Peers, lanes, signaling, listeners, timers. */
    lanesMsMax: 5_000,
    /** First pause before a workload that died is built again; doubles. */
    rebuildMs: 100,
    rebuildMsMax: 10_000,
    /** With that many deaths in that time the node ends. */
    deathsMax: 5,
    deathsWithinMs: MINUTE_MS,
    /** How often the event loop is looked at, and the delay from which a workload of functions is named. */
    loopLookMs: 1_000,
    loopDelayMsMax: 1_000,
    /** The loop and the store must answer by then to count as alive. */
    liveMsMax: 10_000,
    /** Signaling may be away so long before the node calls itself degraded. */
    signalingDownMs: 60_000,
  },
} as const;

/** The limits of one room, as they may be set. */
export type LimitsOf<Room extends keyof typeof NODE_LIMITS> = {
  readonly [Name in keyof (typeof NODE_LIMITS)[Room]]: number;
};
