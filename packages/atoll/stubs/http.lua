---@meta

---How a request is sent.
---@class HttpOptions
---@field method? string Default `GET`.
---@field headers? table<string, (string | string[])> Added to those sent anyway; yours win.
---@field body? string Sent as it is.
---@field timeout? number Seconds for all of it; in stream mode until the headers, then between chunks. Default 120.
---@field max_body? integer Bytes, counted while reading and after decompression. Default 10 MiB.
---@field redirect? (integer | boolean) Redirects to follow. Default 10.
---@field decompress? boolean Default true.
---@field stream? boolean Give the body to `on_data` as it comes.
---@field on_data? fun(data: string, event: SseEvent): any Gets each event or chunk; `return false` stops.
local HttpOptions = {}

---The answer of a server.
---@class HttpReply
---@field status integer HTTP status.
---@field headers table<string, string> Names in lower case; of several the last one.
---@field headers_all table<string, string[]> All values of each name.
---@field body? string Exact bytes; absent in stream mode.
local HttpReply = {}

---What a server-sent event says of itself.
---@class SseEvent
---@field event? string Its type.
---@field id? string Its id.
---@field retry? integer Milliseconds.
local SseEvent = {}

---HTTP and server-sent events.
http = {}

---Sends a request and gives the answer; no status raises.
---@async
---@param url string `http:` or `https:`.
---@param opts? HttpOptions Method, headers, body, limits; see HttpOptions.
---@return HttpReply
function http.request(url, opts) end
