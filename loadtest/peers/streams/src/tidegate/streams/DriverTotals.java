package tidegate.streams;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The benchmarks' view driver_totals in Kafka Streams: count, sum and last value of the orders per
 * driver, in a RocksDB store with a change log topic.
 *
 * <p>Prints {"at":"running",…} once it runs, "half" and "all" (see {@link Progress}), and "end"
 * when SIGTERM has closed it in order.
 */
public final class DriverTotals {
  private static final String STORE = "driver-totals";
  private static final Duration CLOSE_WITHIN = Duration.ofSeconds(60);

  private DriverTotals() {}

  public static void main(String[] words) throws InterruptedException {
    Options options;
    Properties config;
    Progress progress;
    try {
      options = new Options(words);
      config = config(options);
      progress = new Progress(Long.parseLong(options.get("events")));
    } catch (IllegalArgumentException error) {
      System.err.println(error.getMessage() + "\n" + Options.USAGE);
      System.exit(2);
      return;
    }
    KafkaStreams streams = new KafkaStreams(topology(options, progress), config);
    AtomicBoolean hasRun = new AtomicBoolean();
    AtomicBoolean hasFailed = new AtomicBoolean();
    CountDownLatch closed = new CountDownLatch(1);
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING && hasRun.compareAndSet(false, true)) {
            progress.report("running");
          }
          if (now.hasCompletedShutdown()) {
            closed.countDown();
          }
        });
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          hasFailed.set(true);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (!streams.close(CLOSE_WITHIN) || hasFailed.get()) {
                    Runtime.getRuntime().halt(1);
                  }
                  progress.report("end");
                  Runtime.getRuntime().halt(0);
                }));
    streams.start();
    closed.await();
    System.exit(1); // Nobody asked for the end; the hook tells how it came.
  }

  private static Topology topology(Options options, Progress progress) {
    Serde<Order> orders =
        Serdes.serdeFrom(
            (topic, order) -> {
              throw new UnsupportedOperationException("orders are only read");
            },
            (topic, bytes) -> Order.parse(bytes));
    Serde<Totals> totals =
        Serdes.serdeFrom(
            (topic, row) -> row == null ? null : row.toBytes(),
            (topic, bytes) -> bytes == null ? null : Totals.parse(bytes));
    StreamsBuilder builder = new StreamsBuilder();
    KTable<Bytes, Totals> table =
        builder.stream(options.get("topic"), Consumed.with(Serdes.Bytes(), orders))
            .groupByKey(Grouped.with(Serdes.Bytes(), orders))
            .aggregate(
                () -> Totals.NONE,
                (driver, order, row) -> {
                  progress.onOrder();
                  return row.plus(order);
                },
                Materialized.<Bytes, Totals>as(Stores.persistentTimestampedKeyValueStore(STORE))
                    .withKeySerde(Serdes.Bytes())
                    .withValueSerde(totals));
    if (options.has("output-topic")) {
      table
          .toStream()
          .to(options.get("output-topic"), Produced.with(Serdes.Bytes(), totals));
    }
    return builder.build();
  }

  private static Properties config(Options options) {
    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap-servers"));
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("application-id"));
    config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state-dir"));
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, options.get("guarantee"));
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("commit-interval-ms", "100"));
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.get("threads", "2"));
    // Static members: a restart neither rebalances nor waits for a session's end.
    config.put(
        StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG),
        options.get("application-id"));
    if (options.has("cache-bytes")) {
      config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, options.get("cache-bytes"));
    }
    if (options.has("linger-ms")) {
      config.put(
          StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG),
          options.get("linger-ms"));
    }
    return config;
  }
}
