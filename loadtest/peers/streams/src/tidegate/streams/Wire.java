package tidegate.streams;

import java.nio.ByteBuffer;

/** Protobuf's wire format, as far as the benchmark's messages use it. */
final class Wire {
  static final int VARINT = 0;
  static final int FIXED64 = 1;
  static final int BYTES = 2;
  static final int FIXED32 = 5;

  private Wire() {}

  static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = in.get();
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }

  static void putVarint(ByteBuffer out, long value) {
    while ((value & ~0x7fL) != 0) {
      out.put((byte) (value | 0x80));
      value >>>= 7;
    }
    out.put((byte) value);
  }

  /** Skips the field whose tag has just been read. */
  static void skip(ByteBuffer in, int tag) {
    switch (tag & 7) {
      case VARINT -> varint(in);
      case FIXED64 -> in.position(in.position() + 8);
      case BYTES -> {
        int length = (int) varint(in);
        in.position(in.position() + length);
      }
      case FIXED32 -> in.position(in.position() + 4);
      default -> throw new IllegalArgumentException("not a wire type: " + (tag & 7));
    }
  }
}
