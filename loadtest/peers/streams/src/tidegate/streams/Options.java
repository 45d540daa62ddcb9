package tidegate.streams;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** The command line: pairs of --name and value. */
final class Options {
  static final String USAGE =
      """
      --bootstrap-servers HOST:PORT  Kafka
      --application-id ID            also the consumer group and what the change log is named after
      --topic TOPIC                  orders
      --state-dir DIR
      --events N                     how many orders are reported as all
      --guarantee G                  exactly_once_v2 or at_least_once
      [--commit-interval-ms 100] [--threads 2]
      [--cache-bytes N]              of all stores; without it Kafka Streams' default
      [--linger-ms N]                of the producers; without it Kafka Streams' default
      [--output-topic TOPIC]         where each changed row goes; without it nowhere
      """;

  private static final Set<String> NAMES =
      Set.of(
          "bootstrap-servers", "application-id", "topic", "state-dir", "events", "guarantee",
          "commit-interval-ms", "threads", "cache-bytes", "linger-ms", "output-topic");

  private final Map<String, String> values = new HashMap<>();

  Options(String[] words) {
    for (int i = 0; i < words.length; i += 2) {
      String name = words[i].startsWith("--") ? words[i].substring(2) : "";
      if (!NAMES.contains(name) || i + 1 == words.length) {
        throw new IllegalArgumentException("no option, or one without a value: " + words[i]);
      }
      values.put(name, words[i + 1]);
    }
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  String get(String name) {
    String value = values.get(name);
    if (value == null) {
      throw new IllegalArgumentException("needed: --" + name);
    }
    return value;
  }

  String get(String name, String otherwise) {
    return values.getOrDefault(name, otherwise);
  }
}
