-- Rides as they are requested, picked up and dropped off. Some events arrive
-- late: `ts` says when something happened, not when we heard of it.
CREATE SOURCE rides (
  ride_id BIGINT,
  driver_id BIGINT,
  zone VARCHAR,
  status VARCHAR,
  fare DOUBLE PRECISION,
  ts TIMESTAMPTZ,
  sent_us BIGINT,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (topic = 'rides', key = 'driver_id') FORMAT PLAIN ENCODE JSON;

-- Reference data, kept up to date from a topic of its own.
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR, tier VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;

CREATE MATERIALIZED VIEW zones AS
  SELECT zone, count(*) AS events, count(fare) AS rides, sum(fare) AS revenue,
         avg(fare) AS average, max(sent_us) AS sent_us
  FROM rides GROUP BY zone;

CREATE MATERIALIZED VIEW driver_totals AS
  SELECT driver_id, count(fare) AS rides, sum(fare) AS earned,
         last_value(zone ORDER BY ts) AS zone, max(sent_us) AS sent_us
  FROM rides GROUP BY driver_id;

-- The last event heard of each driver, with who that is.
CREATE MATERIALIZED VIEW driver_now (PRIMARY KEY (driver_id)) AS
  SELECT r.driver_id, d.name, d.tier, r.zone, r.status, r.ts, r.sent_us
  FROM rides AS r
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
    ON r.driver_id = d.driver_id;
