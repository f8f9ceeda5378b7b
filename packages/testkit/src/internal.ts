/** The mock model alone, for the program: without what needs a test runner. */
export { type MockAnswerer, type MockModel, type MockModelOptions, type MockRequest, startMockModel } from "./mock-model/mock-model.ts";
export type { MockAsk } from "./mock-model/dialect.ts";
export {
  MOCK_BREAKS, type MockBreak, type MockFailure, type MockReply, type MockScript, type MockScriptReading, type MockToolCall,
  type MockTurn, type MockUsage, type MockWhen, readMockScript,
} from "./mock-model/script.ts";
export {
  isRecording, type MockExchange, readRecording, RECORDING_HEAD, type RecordingReading, type ReplayMatch,
} from "./mock-model/recording.ts";
export { killAfterLines, printNow } from "./kill-lines.ts";
