/** Limits of a realm (spec: node 7, 12). Times are milliseconds. Whoever composes a realm may give others. */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const KIB = 1_024;
const MIB = 1_024 * KIB;

export const REALM_LIMITS = {
  identity: {
    credentialMs: HOUR_MS,
    /** How far the clocks of two machines may be apart. */
    skewMs: MINUTE_MS,
    /** How long a connection may go on with a credential that is over. */
    graceMs: 15 * MINUTE_MS,
    renewalTokenMs: DAY_MS,
    /** A token with no more than this left gets its successor. */
    renewalRotateMs: 6 * HOUR_MS,
    renewalTokensMax: 2,
    /** How long the secret before the present one is good. */
    oldSecretMs: 4 * HOUR_MS,
    inviteMsMax: HOUR_MS,
    inviteUsesMax: 10_000,
    keyRotationMs: 30 * DAY_MS,
    /** A key is published this long before it signs, so that whoever caches keys can have it. */
    keyNextMs: MINUTE_MS,
    /** How long the nonce of a proof is remembered. */
    nonceMs: 10 * MINUTE_MS,
    /** Records of the past that one registration or renewal clears away, and how seldom one looks for them. */
    clearMax: 64,
    clearEachMs: 5_000,
    /** Node records that are kept in memory; the others are read when they are asked for. */
    nodesHeldMax: 20_000,
    /** Rules of one node. */
    rulesMax: 256,
    /** Addresses, tags: UTF-16 units. */
    textMax: 1 * KIB,
    /** One service description with its sources: it is stored as one document. */
    specBytesMax: 1 * MIB,
    /** Its description, UTF-16 units, and its tags: those are held in memory. */
    descriptionMax: 4 * KIB,
    tagsMax: 64,
  },
  registry: {
    heartbeatMs: 20_000,
    /** Pings a second that the realm wants to see at most: with more nodes it suggests longer intervals. */
    pingsPerSecond: 400,
    /** Longest interval it suggests: two of them must fit before an entry is dropped. */
    heartbeatMsMax: 28_000,
    /** An entry without a ping is offered this long. */
    pingMsMax: MINUTE_MS,
    /** An entry without a ping is kept this long, stale. */
    keepMs: 12 * HOUR_MS,
    /** Candidates of one answer: what a caller may ask for, and what it gets unasked. */
    candidatesMax: 64,
    candidatesUsual: 8,
    /** How long an address is worth remembering. */
    addressMs: 5 * MINUTE_MS,
    stickyMax: 256,
    entriesMax: 100_000,
    /** Entries that one question looks at: of a larger type another part each time. */
    looksMax: 2_000,
    discoveryMax: 1_000,
    discoveryUsual: 64,
  },
  signaling: {
    /** From the connection to the proof of its identity. */
    helloMsMax: 5_000,
    /** Handshakes that are worked on at one time, and in one turn of the event loop; the others wait for their turn. */
    handshakesMax: 8,
    /** One frame: an SDP with all its candidates is a tenth of it. */
    frameBytesMax: 256 * KIB,
    /** Frames of one connection that wait for their turn. */
    waitingMax: 256,
    waitingBytesMax: 1 * MIB,
    /** Bytes that a reader who is slow may have waiting. */
    bufferedBytesMax: 1 * MIB,
    /** A node pings more often than that. */
    silentMsMax: 90_000,
    connectionsMax: 20_000,
    subscriptionsMax: 256,
    /** Pairs that were admitted to the relay, and how long one may be silent. */
    pairsMax: 100_000,
    pairIdleMs: 10 * MINUTE_MS,
    /** Messages of one connection that were refused within one minute; beyond it the connection ends. */
    refusedMax: 600,
    revokedMax: 1_000,
  },
  rate: {
    aisPerSecond: 2, aisBurst: 100,
    /** Connections that failed or proved nothing. */
    failedPerMinute: 5, failedBurst: 10, unprovenMax: 100,
    controlPerSecond: 10, controlBurst: 50,
    relayPerSecond: 50, relayBurst: 100,
    /** How often a node may come and go by its pings: all that follow its type are told each time. */
    flipsPerSecond: 0.5, flipsBurst: 6,
    /** Addresses that are remembered. */
    sourcesMax: 10_000,
  },
  http: {
    bodyBytesMax: 2 * MIB,
    /** Bodies that are being read and answered, together. */
    bodiesBytesMax: 128 * MIB,
    requestMsMax: 30_000,
    headersMsMax: 10_000,
    connectionsMax: 30_000,
    /** How long clients have to say goodbye. */
    closeMsMax: 1_000,
  },
  store: {
    /** One read or commit. */
    callMsMax: 10_000,
    /** The journal is looked through for old entries after so many new ones. */
    trimEach: 256,
    trimMax: 1_000,
  },
  admin: {
    pageMax: 1_000,
    auditMs: 90 * DAY_MS,
    realmsMax: 10_000,
    invitesMax: 10_000,
  },
} as const;

/** The limits of one room, as they may be set. */
export type RealmLimits = {
  readonly [Room in keyof typeof REALM_LIMITS]: {
    readonly [Name in keyof (typeof REALM_LIMITS)[Room]]: number;
  };
};
