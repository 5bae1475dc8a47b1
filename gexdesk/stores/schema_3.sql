-- Version 3: what decisions rested on of their symbol's own history.

ALTER TABLE decisions ADD COLUMN gamma_change_5m DOUBLE;
ALTER TABLE decisions ADD COLUMN volume_percentile DOUBLE;          -- 0 to 100
ALTER TABLE decisions ADD COLUMN open_interest_percentile DOUBLE;
ALTER TABLE decisions ADD COLUMN change_percentile DOUBLE;
ALTER TABLE decisions ADD COLUMN minutes_since_changed DOUBLE;
