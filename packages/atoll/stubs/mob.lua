---@meta

---A member, as it knows itself.
---@class MobSelf
---@field id string Its id.
---@field profile string Name of its profile.
---@field generation integer Rises with each respawn and reset.
---@field labels table<string, string> Of its profile and its own.
---@field context? any As it was spawned with.
---@field model? string Of its profile; of `auto` that of the first provider with a key, nil without one.
---@field provider? string Of that model.
---@field session string Id of its session.
---@field wired_to string[] Those it may address.
local MobSelf = {}

---Another member.
---@class MobPeer
---@field id string Its id.
---@field profile string Name of its profile.
---@field state string `dormant`, `active`, …: a dormant one is woken by a turn.
---@field labels table<string, string> Of its profile and its own.
---@field display_name? string For people.
local MobPeer = {}

---How a turn is given.
---@class MobSendOptions
---@field key? string Stands for this one turn: the same key and content give the same ticket. Default: one that stays the same when the turn that sends runs again.
---@field conversation? string Turns of one conversation run one at a time. Default: this member.
---@field reply? string `turn`, of `send`: its end comes back as a turn for this member: `{in_reply_to, state, output, error}`, `event.meta.in_reply_to`.
---@field timeout_ms? integer From acceptance to the end; `request` waits as long. Default and most: what is left of the turn that asks, for `send` and `wake` 10 min.
local MobSendOptions = {}

---A turn that is stored.
---@class MobTicket
---@field turn_id string Its id.
---@field member string Whose it is.
---@field state string `queued`, or what has become of it.
---@field duplicate boolean It was there already, under that key.
local MobTicket = {}

---How a flow is started.
---@class MobFlowOptions
---@field key? string Stands for this one run; default as in MobSendOptions.
local MobFlowOptions = {}

---A flow that runs.
---@class MobRun
---@field run_id string Its id.
---@field state string `running`, or what has become of it.
local MobRun = {}

---The mob that this block is a member of; each function needs its grant `mob:<function>`, `mob:flow` those of flows.
mob = {}
mob.flow = {}

---Who this member is.
---@async
---@return MobSelf
function mob.me() end

---Those it is wired to, by id.
---@async
---@return MobPeer[]
function mob.members() end

---Gives a member a turn and does not wait for it; it is stored when this returns.
---@async
---@param to string Id of a member that this one is wired to.
---@param content any Plain data; not empty.
---@param opts? MobSendOptions See MobSendOptions.
---@return MobTicket
function mob.send(to, content, opts) end

---Gives a member a turn and waits for what it gives, at most as long as the turn that asks has.
---@async
---@param to string Id of a member that this one is wired to.
---@param content any Plain data; not empty.
---@param opts? MobSendOptions See MobSendOptions.
---@return any?
function mob.request(to, content, opts) end

---Makes a member, wired to this one; it starts at its first turn.
---@async
---@param spec table `id` and `profile`; also `labels`, `context`, `grants` (fewer than its profile has), `display_name`.
---@return MobPeer
function mob.spawn(spec) end

---Lets a member that this one made end, or this one itself; what it has to do is done first.
---@async
---@param id string Id of the member.
function mob.retire(id) end

---Gives itself a turn, for later: work outlives the turn that begins it.
---@async
---@param content any Plain data; not empty.
---@param opts? MobSendOptions See MobSendOptions.
---@return MobTicket
function mob.wake(content, opts) end

---Writes a note into the session of this member, and its beginning into the ledger.
---@async
---@param content any Plain data; not empty.
function mob.note(content) end

---Starts a flow; it goes on without this member.
---@async
---@param flow string Name of the flow.
---@param params? any What its templates name `params`.
---@param opts? MobFlowOptions See MobFlowOptions.
---@return MobRun
function mob.flow.run(flow, params, opts) end
