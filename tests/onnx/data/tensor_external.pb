Btj
locationexternal.binp