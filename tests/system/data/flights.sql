-- Six views (and a table that is served as one) over the flights of 2013.
CREATE SOURCE flights_json (
  id BIGINT, carrier VARCHAR, flight INT, tailnum VARCHAR, origin VARCHAR,
  dest VARCHAR, sched TIMESTAMPTZ, ts TIMESTAMPTZ, dep_delay INT,
  arr_delay INT, air_hours DOUBLE PRECISION, distance INT, cancelled BOOLEAN,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (topic = '@JSON_TOPIC@', key = 'carrier')
  FORMAT PLAIN ENCODE JSON;

CREATE SOURCE flights_proto (
  id BIGINT, carrier VARCHAR, flight INT, tailnum VARCHAR, origin VARCHAR,
  dest VARCHAR, sched TIMESTAMPTZ, ts TIMESTAMPTZ, arr_delay INT,
  air_hours DOUBLE PRECISION, distance INT, cancelled BOOLEAN
) WITH (topic = '@PROTO_TOPIC@', key = 'tailnum')
  FORMAT PLAIN ENCODE PROTOBUF (
    message = 'flights.Flight', file = '@PROTO_FILE@');

CREATE TABLE airlines (carrier VARCHAR PRIMARY KEY, name VARCHAR)
  WITH (topic = '@AIRLINES_TOPIC@') FORMAT UPSERT ENCODE JSON;

-- The event time is the watermark's column.
CREATE MATERIALIZED VIEW latest_departure (PRIMARY KEY (tailnum)) AS
  SELECT tailnum, carrier || '/' || CAST(flight AS VARCHAR) AS number, origin,
         dest, ts, dep_delay + COALESCE(arr_delay, 0) AS delays,
         air_hours * 60 AS minutes, distance / 100 AS hundreds
  FROM flights_json WHERE NOT cancelled AND tailnum IS NOT NULL;

CREATE MATERIALIZED VIEW carrier_totals AS
  SELECT carrier, count(*) AS flights, count(arr_delay) AS arrived,
         sum(arr_delay) AS delay_sum, min(arr_delay) AS delay_min,
         max(arr_delay) AS delay_max, avg(arr_delay) AS delay_avg,
         sum(air_hours) AS hours, avg(air_hours) AS hours_avg,
         min(ts) AS first_ts, max(ts) AS last_ts
  FROM flights_json GROUP BY carrier;

-- The event time is Kafka's timestamp; tailnum is NULL for some.
CREATE MATERIALIZED VIEW plane_history AS
  SELECT tailnum, count(*) AS flights,
         first_value(origin ORDER BY ts) AS first_origin,
         last_value(dest ORDER BY ts) AS last_dest,
         last_value(flight ORDER BY ts) AS last_flight,
         last_value(arr_delay ORDER BY ts) AS last_delay, max(ts) AS last_ts
  FROM flights_proto GROUP BY tailnum;

CREATE MATERIALIZED VIEW route_delays AS
  SELECT origin, dest, count(*) AS flights,
         sum(CASE WHEN dep_delay > 60 THEN 2 WHEN dep_delay > 15 THEN 1
                  ELSE 0 END) AS points,
         max(COALESCE(arr_delay, -1)) AS worst,
         avg(CASE WHEN cancelled THEN 1.0 ELSE 0.0 END) AS cancelled_share
  FROM flights_json
  WHERE (carrier IN ('UA', 'DL', 'AA', 'B6', 'US') OR dest LIKE 'S_%')
    AND COALESCE(dep_delay, 0) BETWEEN -10 AND 240
    AND dest NOT IN ('ANC', 'LEX') AND tailnum NOT LIKE 'N1%'
  GROUP BY origin, dest;

CREATE MATERIALIZED VIEW airline_traffic AS
  SELECT a.name, count(*) AS flights, sum(f.distance) AS miles,
         last_value(f.dest ORDER BY f.ts) AS last_dest
  FROM flights_proto f
  JOIN airlines FOR SYSTEM_TIME AS OF PROCTIME() AS a ON f.carrier = a.carrier
  GROUP BY a.name;

CREATE MATERIALIZED VIEW long_flights (PRIMARY KEY (id)) AS
  SELECT f.id, f.carrier, a.name AS airline,
         COALESCE(a.name, 'unknown') AS label,
         CASE WHEN f.cancelled THEN 'cancelled'
              WHEN f.arr_delay IS NULL THEN 'diverted'
              WHEN f.arr_delay <= 0 THEN 'on time'
              ELSE 'late' END AS outcome,
         f.sched, f.air_hours
  FROM flights_proto f
  LEFT JOIN airlines FOR SYSTEM_TIME AS OF PROCTIME() AS a
    ON f.carrier = a.carrier
  WHERE f.distance >= 1000 AND f.distance % 4 = 1;
