/** The mob of the demo (spec: mob 1.1): what `mob.toml` would say, for one folder and one place of the report. */
import { basename } from "node:path";
import { defineMob, type MobDefinition } from "../../src/mob.ts";

export interface AuditPlan {
  /** Folder of the packages, absolute. */
  readonly root: string;
  /** Where the report goes, absolute. */
  readonly folder: string;
}

/** Longer than anybody leaves a question on a terminal unanswered. */
const PATIENCE_MS = 45 * 60_000;

export function auditMob({ root, folder }: AuditPlan): MobDefinition {
  const reads = [`fs.read:${root}`];
  return defineMob({
    mob: {
      id: "audit",
      members: [
        { id: "scout", profile: "scout" }, { id: "auditor", profile: "auditor", count: 4 },
        { id: "editor", profile: "editor", context: { folder } },
      ],
      edges: [["scout", "@auditor"], ["@auditor", "editor"]],
    },
    profiles: {
      scout: { script: "builtin:audit/scout.lua", grants: reads },
      auditor: { script: "builtin:audit/auditor.lua", model: "auto", grants: [...reads, "mob:me"] },
      editor: { script: "builtin:audit/editor.lua", model: "auto", external: true, grants: [`fs.write:${folder}`, "mob:me"] },
    },
    // The editor stays at its question.
    limits: { approvalInPlaceMs: PATIENCE_MS },
    approvals: [
      { id: "report", match: { grant: "fs.write", member: "editor" }, tier: "R3", timeout: PATIENCE_MS },
      { id: "folder", match: { grant: "fs.write", member: "editor", object: `*/${basename(folder)}` }, tier: "R1" },
      // Tens of thousands of files: what may be read is said by the grant, and not written down one by one.
      { id: "reading", match: { grant: "fs.read" }, tier: "R0" },
    ],
    flows: { audit: { steps: {
      scan: { role: "scout", message: "{{ params.root }}", dispatch: "one_to_one", retries: 3 },
      audit: {
        role: "auditor", depends_on: ["scan"], dispatch: "share", items: "steps.scan.output.batches", retries: 3, timeout: "30m",
      },
      report: {
        role: "editor", depends_on: ["audit"], message: "{{ steps.audit.output }}", dispatch: "one_to_one", retries: 3,
      },
    } } },
  });
}
