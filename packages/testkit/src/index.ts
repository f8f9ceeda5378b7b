export * from "./manual-clock.ts";
export * from "./seeded-ids.ts";
export * from "./until.ts";
export * from "./open-handles.ts";
export * from "./chapters/sql.ts";
export * from "./chapters/kv.ts";
export * from "./chapters/series.ts";
export * from "./memory-kv.ts";
export * from "./memory-series.ts";
export * from "./kv-crash.ts";
export * from "./chapters/isle.ts";
export type { IsleScripts, IsleUnderTest } from "./chapters/isle-under-test.ts";
export { type MockAnswerer, type MockModel, type MockModelOptions, type MockRequest, startMockModel } from "./mock-model/mock-model.ts";
export type { MockAsk } from "./mock-model/dialect.ts";
export {
  MOCK_BREAKS, type MockBreak, type MockFailure, type MockReply, type MockScript, type MockScriptReading, type MockToolCall,
  type MockTurn, type MockUsage, type MockWhen, readMockScript,
} from "./mock-model/script.ts";
export {
  isRecording, type MockExchange, readRecording, RECORDING_HEAD, type RecordingReading, type ReplayMatch,
} from "./mock-model/recording.ts";
