package tidegate.streams;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A row of the view driver_totals. Written as Protobuf with the field numbers of Tidegate's own row
 * (driver_id 1, orders 2, total 3, region 4), and the region's event time (5) as its state.
 */
record Totals(long driver, long orders, double total, byte[] region, long regionMicros) {
  static final Totals NONE = new Totals(0, 0, 0, new byte[0], Long.MIN_VALUE);

  // Five tags, four varints, a double; and the region.
  private static final int MAX_BYTES_BESIDE_REGION = 5 + 4 * 10 + 8;

  Totals plus(Order order) {
    boolean isNewest = order.eventMicros() >= regionMicros;
    return new Totals(
        order.driver(),
        orders + 1,
        total + order.amount(),
        isNewest ? order.region() : region,
        isNewest ? order.eventMicros() : regionMicros);
  }

  byte[] toBytes() {
    byte[] bytes = new byte[MAX_BYTES_BESIDE_REGION + region.length];
    ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    out.put((byte) (1 << 3 | Wire.VARINT));
    Wire.putVarint(out, driver);
    out.put((byte) (2 << 3 | Wire.VARINT));
    Wire.putVarint(out, orders);
    out.put((byte) (3 << 3 | Wire.FIXED64)).putDouble(total);
    out.put((byte) (4 << 3 | Wire.BYTES));
    Wire.putVarint(out, region.length);
    out.put(region);
    out.put((byte) (5 << 3 | Wire.VARINT));
    Wire.putVarint(out, regionMicros);
    return Arrays.copyOf(bytes, out.position());
  }

  static Totals parse(byte[] message) {
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    long driver = 0;
    long orders = 0;
    double total = 0;
    byte[] region = NONE.region;
    long regionMicros = 0;
    while (in.hasRemaining()) {
      int tag = (int) Wire.varint(in);
      switch (tag) {
        case 1 << 3 | Wire.VARINT -> driver = Wire.varint(in);
        case 2 << 3 | Wire.VARINT -> orders = Wire.varint(in);
        case 3 << 3 | Wire.FIXED64 -> total = in.getDouble();
        case 4 << 3 | Wire.BYTES -> {
          region = new byte[(int) Wire.varint(in)];
          in.get(region);
        }
        case 5 << 3 | Wire.VARINT -> regionMicros = Wire.varint(in);
        default -> Wire.skip(in, tag);
      }
    }
    return new Totals(driver, orders, total, region, regionMicros);
  }
}
