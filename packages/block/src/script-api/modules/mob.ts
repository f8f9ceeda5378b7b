/** `mob`: what a member of a mob can do with the others. */
import { apiModule, fn, shape } from "../declare.ts";

const NOT = "bridge.absent";
const REACH = "mob.not_found mob.not_addressable mob.member_gone mob.member_broken mob.overloaded mob.content_empty mob.conflict";
const TO = "Id of a member that this one is wired to.";
const CONTENT = "Plain data; not empty.";

export const mob = apiModule("mob", "The mob that this block is a member of; each function needs its grant `mob:<function>`, `mob:flow` those of flows.", {
  functions: [
    fn("~mob.me() -> MobSelf", "Who this member is.", { errors: NOT, host: true, example: `print(mob.me().id)` }),
    fn("~mob.members() -> MobPeer[]", "Those it is wired to, by id.", {
      errors: NOT, host: true, example: `for _, peer in ipairs(mob.members()) do print(peer.id, peer.state) end`,
    }),
    fn("~mob.send(to: string, content: json, opts: MobSendOptions?) -> MobTicket",
      "Gives a member a turn and does not wait for it; it is stored when this returns.", {
        params: { to: TO, content: CONTENT, opts: "See MobSendOptions." }, errors: `${NOT} ${REACH}`, host: true,
        example: `local ticket = mob.send("editor", {file = "a.md"})\nprint(ticket.turn_id)`,
      }),
    fn("~mob.request(to: string, content: json, opts: MobSendOptions?) -> json?",
      "Gives a member a turn and waits for what it gives, at most as long as the turn that asks has.", {
        params: { to: TO, content: CONTENT, opts: "See MobSendOptions." }, errors: `${NOT} ${REACH} mob.tool_failed mob.deadline`, host: true,
        example: `local review = mob.request("editor", {file = "a.md"}, {timeout_ms = 60000})`,
      }),
    fn("~mob.spawn(spec: table) -> MobPeer", "Makes a member, wired to this one; it starts at its first turn.", {
      params: { spec: "`id` and `profile`; also `labels`, `context`, `grants` (fewer than its profile has), `display_name`." },
      errors: `${NOT} mob.conflict mob.not_found mob.invalid_params mob.overloaded`, host: true,
      example: `mob.spawn{id = "helper-1", profile = "worker"}`,
    }),
    fn("~mob.retire(id: string)", "Lets a member that this one made end, or this one itself; what it has to do is done first.", {
      params: { id: "Id of the member." }, errors: `${NOT} mob.denied mob.not_found mob.conflict`, host: true, example: `mob.retire("helper-1")`,
    }),
    fn("~mob.wake(content: json, opts: MobSendOptions?) -> MobTicket", "Gives itself a turn, for later: work outlives the turn that begins it.", {
      params: { content: CONTENT, opts: "See MobSendOptions." }, errors: `${NOT} mob.overloaded mob.content_empty mob.conflict`, host: true,
      example: `mob.wake({go_on_with = "chapter 2"})`,
    }),
    fn("~mob.note(content: json)", "Writes a note into the session of this member, and its beginning into the ledger.", {
      params: { content: CONTENT }, errors: NOT, host: true, example: `mob.note("The tests are green.")`,
    }),
    fn("~mob.flow.run(flow: string, params: json?, opts: MobFlowOptions?) -> MobRun", "Starts a flow; it goes on without this member.", {
      params: { flow: "Name of the flow.", params: "What its templates name `params`.", opts: "See MobFlowOptions." },
      errors: `${NOT} mob.not_found mob.invalid_params mob.conflict mob.overloaded`, host: true, example: `print(mob.flow.run("review", {file = "a.md"}).run_id)`,
    }),
  ],
  shapes: [
    shape("MobSelf", "A member, as it knows itself.", {
      "id: string": "Its id.", "profile: string": "Name of its profile.", "generation: integer": "Rises with each respawn and reset.",
      "labels: {[string]: string}": "Of its profile and its own.", "context: json?": "As it was spawned with.",
      "model: string?": "Of its profile; of `auto` that of the first provider with a key, nil without one.", "provider: string?": "Of that model.", "session: string": "Id of its session.", "wired_to: string[]": "Those it may address.",
    }),
    shape("MobPeer", "Another member.", {
      "id: string": "Its id.", "profile: string": "Name of its profile.", "state: string": "`dormant`, `active`, …: a dormant one is woken by a turn.",
      "labels: {[string]: string}": "Of its profile and its own.", "display_name: string?": "For people.",
    }),
    shape("MobSendOptions", "How a turn is given.", {
      "key: string?": "Stands for this one turn: the same key and content give the same ticket. Default: one that stays the same when the turn that sends runs again.",
      "conversation: string?": "Turns of one conversation run one at a time. Default: this member.",
      "reply: string?": "`turn`, of `send`: its end comes back as a turn for this member: `{in_reply_to, state, output, error}`, `event.meta.in_reply_to`.",
      "timeout_ms: integer?": "From acceptance to the end; `request` waits as long. Default and most: what is left of the turn that asks, for `send` and `wake` 10 min.",
    }),
    shape("MobTicket", "A turn that is stored.", {
      "turn_id: string": "Its id.", "member: string": "Whose it is.", "state: string": "`queued`, or what has become of it.",
      "duplicate: boolean": "It was there already, under that key.",
    }),
    shape("MobFlowOptions", "How a flow is started.", { "key: string?": "Stands for this one run; default as in MobSendOptions." }),
    shape("MobRun", "A flow that runs.", { "run_id: string": "Its id.", "state: string": "`running`, or what has become of it." }),
  ],
});
