-- What was shown to a trigger: these events begin with its address, after the eight bytes that tell events apart.
CREATE INDEX events_of_triggers ON events (substr(bytes, 9, 32))
    WHERE name IN ('Observed', 'ReadingShown', 'DropArmed', 'LossReported');
-- What triggers listen to, and whose keys were revoked: few.
CREATE INDEX events_of_sources ON events (name)
    WHERE name IN ('ConditionSet', 'ReadingSet', 'EquivocationReported');
