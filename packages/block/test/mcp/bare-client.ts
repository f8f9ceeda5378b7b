/** The SDK's own client over its own transports: what `mcp` is measured against. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

export interface BareClient extends AsyncDisposable {
  call(tool: string, args: Record<string, unknown>): Promise<unknown>;
}

/** `server`: a program of Node with its arguments, or a URL. */
export async function bareClient(server: readonly string[] | string): Promise<BareClient> {
  const client = new Client({ name: "bare", version: "1" });
  const transport = typeof server === "string" ? new StreamableHTTPClientTransport(new URL(server))
    : new StdioClientTransport({ command: process.execPath, args: [...server], stderr: "ignore" });
  // the SDK's own types do not agree on optional fields
  await client.connect(transport as StdioClientTransport);
  return {
    call: (name, args) => client.callTool({ name, arguments: args }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
