/** Who asks, across processes. Empty strings mean "not given". */
export interface TraceContext {
  readonly trace_id: string;
  readonly span_id?: string;
  readonly run_id: string;
  readonly agent_id: string;
  readonly agent_name: string;
}
