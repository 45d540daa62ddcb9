package tidegate.streams;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the orders folded, and reports on standard output, one JSON object a line, when half and
 * when all of those expected are. "seconds" is of the system's monotonic clock; "cpu_s" is user +
 * system of this whole process so far, from /proc/PID/stat. Thread-safe.
 */
final class Progress {
  private final long half;
  private final long all;
  private final AtomicLong folded = new AtomicLong();

  Progress(long all) {
    this.half = all / 2;
    this.all = all;
  }

  void onOrder() {
    long count = folded.incrementAndGet();
    if (count == half) {
      report("half", count);
    }
    if (count == all) {
      report("all", count);
    }
  }

  void report(String at) {
    report(at, folded.get());
  }

  private synchronized void report(String at, long count) {
    double cpuSeconds = seconds(ProcessHandle.current().info().totalCpuDuration().orElseThrow());
    System.out.printf(
        "{\"at\":\"%s\",\"folded\":%d,\"seconds\":%.6f,\"cpu_s\":%.3f}%n",
        at, count, seconds(Duration.ofNanos(System.nanoTime())), cpuSeconds);
    System.out.flush();
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }
}
