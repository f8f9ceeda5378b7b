/** What a block would have to work with, before it is started. */
import { readFileSync } from "node:fs";
import type { BlockConfig, HostTool } from "@atoll-run/block";
import type { Json } from "@atoll-run/core";
import { findBlocks } from "../mcp/blocks.ts";

export interface ToolInfo extends Pick<HostTool, "name" | "description" | "group"> {
  readonly input_schema?: Json;
  readonly source: "host" | "block";
}

/**
 * What a block would have to work with, in this order: the host's tools, then the blocks of its project by name, each with the
 * comment its `init.lua` begins with. Runs nothing, so what a block registers when it is loaded is not known.
 */
export function inspectTools(config: BlockConfig): ToolInfo[] {
  const tools = (config.hostTools ?? []).map(({ name, description, input_schema, group }): ToolInfo => ({
    name, description, input_schema, ...(group === undefined ? {} : { group }), source: "host",
  }));
  const blocks = findBlocks(config.projectRoot ?? ".", []).map(({ name, path }): ToolInfo => ({
    name, description: firstComment(readFileSync(path, "utf8")), source: "block",
  }));
  return [...tools, ...blocks];
}

function firstComment(source: string): string {
  return /^(?:#![^\n]*\n)?\s*--(?!\[=*\[)-*[ \t]*([^\n]*)/.exec(source)?.[1]?.trim() ?? "";
}
