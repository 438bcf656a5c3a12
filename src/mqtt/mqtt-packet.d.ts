declare module 'mqtt-packet/constants.js' {
  const codec: { MQTT5_PUBACK_PUBREC_CODES: Record<number, string> };
  export default codec;
}
