package tidegate.streams;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The fields of a bench.Order (loadtest/bench/workload.cc) that the view needs. */
record Order(long driver, byte[] region, double amount, long eventMicros) {
  private static final byte[] NO_BYTES = {};

  /** Scans the Protobuf message once and skips what is not needed. */
  static Order parse(byte[] message) {
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    long driver = 0;
    byte[] region = NO_BYTES;
    double amount = 0;
    long eventMicros = 0;
    while (in.hasRemaining()) {
      int tag = (int) Wire.varint(in);
      switch (tag) {
        case 2 << 3 | Wire.VARINT -> driver = Wire.varint(in);
        case 3 << 3 | Wire.BYTES -> {
          region = new byte[(int) Wire.varint(in)];
          in.get(region);
        }
        case 4 << 3 | Wire.FIXED64 -> amount = in.getDouble();
        case 5 << 3 | Wire.BYTES -> eventMicros = timestampMicros(in);
        default -> Wire.skip(in, tag);
      }
    }
    return new Order(driver, region, amount, eventMicros);
  }

  private static long timestampMicros(ByteBuffer in) {
    int length = (int) Wire.varint(in);
    int end = in.position() + length;
    long micros = 0;
    while (in.position() < end) {
      int tag = (int) Wire.varint(in);
      switch (tag) {
        case 1 << 3 | Wire.VARINT -> micros += Wire.varint(in) * 1_000_000;
        case 2 << 3 | Wire.VARINT -> micros += Wire.varint(in) / 1_000;
        default -> Wire.skip(in, tag);
      }
    }
    return micros;
  }
}
