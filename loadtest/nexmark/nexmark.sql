-- The queries of Nexmark that the dialect has. What stands before the first
-- "-- qN" belongs to each of them; @PREFIX@ begins the names of the topics.
CREATE SOURCE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
  date_time TIMESTAMPTZ, extra VARCHAR,
  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND
) WITH (topic = '@PREFIX@-bid', idle.timeout = '1h')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'nexmark.Bid', file = 'nexmark.proto');

-- q0: everything, as it comes; what one can ask for is the last minute.
CREATE MATERIALIZED VIEW q0 WITH (retention = '1m') AS
  SELECT auction, bidder, price, date_time, extra FROM bid;

-- q1: prices in another currency.
CREATE MATERIALIZED VIEW q1 WITH (retention = '1m') AS
  SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid;

-- q2: the bids for some auctions.
CREATE MATERIALIZED VIEW q2 WITH (retention = '1m') AS
  SELECT auction, price FROM bid WHERE auction % 123 = 0;

-- q7: the highest bid of each ten seconds; of several equal ones, the first.
CREATE MATERIALIZED VIEW q7 WITH (retention = '10m') AS
  SELECT window_start, window_end, max(price) AS price,
         max_by(auction, price) AS auction, max_by(bidder, price) AS bidder,
         max_by(date_time, price) AS date_time, max_by(extra, price) AS extra
  FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
  GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;

-- q11: how many bids someone makes in a session, which ends with ten seconds
-- without one.
CREATE MATERIALIZED VIEW q11 WITH (retention = '10m') AS
  SELECT bidder, window_start, window_end, count(*) AS bids
  FROM SESSION(bid, date_time, INTERVAL '10' SECOND)
  GROUP BY bidder, window_start, window_end;

-- q12: how many bids someone makes in each ten seconds; by event time rather
-- than by the clock, so that the result can be checked.
CREATE MATERIALIZED VIEW q12 WITH (retention = '10m') AS
  SELECT bidder, window_start, window_end, count(*) AS bids
  FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
  GROUP BY bidder, window_start, window_end;

-- q13: each bid with what a table, there beforehand, has for its auction.
CREATE TABLE side_input (key BIGINT PRIMARY KEY, value VARCHAR)
  WITH (topic = '@PREFIX@-side') FORMAT UPSERT ENCODE JSON;

CREATE MATERIALIZED VIEW q13 WITH (retention = '1m') AS
  SELECT b.auction, b.bidder, b.price, b.date_time, s.value
  FROM bid AS b
  JOIN side_input FOR SYSTEM_TIME AS OF PROCTIME() AS s
    ON b.auction % 10000 = s.key;

-- q14: the time of day and how often a letter occurs, of bids in a range.
CREATE MATERIALIZED VIEW q14 WITH (retention = '1m') AS
  SELECT auction, bidder, 0.908 * price AS price,
         CASE WHEN extract(hour FROM date_time) >= 8
               AND extract(hour FROM date_time) <= 18 THEN 'dayTime'
              WHEN extract(hour FROM date_time) <= 6
                OR extract(hour FROM date_time) >= 20 THEN 'nightTime'
              ELSE 'otherTime' END AS bid_time_type,
         date_time, extra,
         length(extra) - length(replace(extra, 'c', '')) AS c_counts
  FROM bid
  WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;

-- q17: the bids for each auction on each day, in classes of price.
CREATE MATERIALIZED VIEW q17 AS
  SELECT auction, date_trunc('day', date_time) AS day, count(*) AS total_bids,
         sum(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS rank1_bids,
         sum(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END)
           AS rank2_bids,
         sum(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS rank3_bids,
         min(price) AS min_price, max(price) AS max_price,
         avg(price) AS avg_price, sum(price) AS sum_price
  FROM bid GROUP BY auction, date_trunc('day', date_time);

-- q18: the newest bid of each bidder for each auction.
CREATE MATERIALIZED VIEW q18 (PRIMARY KEY (bidder, auction)) AS
  SELECT bidder, auction, price, channel, url, date_time, extra FROM bid;
