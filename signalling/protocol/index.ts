/** Public names of the protocol: Epic's signalling messages and data channel. Browser-safe. */
export {
  type IceCandidateData,
  type MessageOf,
  type ParsedMessage,
  type PeerConnectionOptions,
  type RawMessage,
  type SignallingMessage,
  type SignallingType,
  MAX_ID_LENGTH,
  MAX_SDP_LENGTH,
  SIGNALLING_TYPES,
  parseMessage,
  renderMessage,
} from './messages.ts';
export { type FieldType, DEFAULT_PROTOCOL, mergeProtocol, renderProtocol } from './protocolMap.ts';
export {
  type FromStreamerMessage,
  type ToStreamerMessage,
  DataChannelError,
  FreezeFrameAssembler,
  MAX_DATA_CHANNEL_BYTES,
  MAX_FREEZE_FRAME_BYTES,
  decodeFromStreamer,
  decodeToStreamer,
  encodeFromStreamer,
  encodeToStreamer,
} from './dataChannel.ts';
