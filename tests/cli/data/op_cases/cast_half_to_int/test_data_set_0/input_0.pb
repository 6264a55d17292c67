	
JBHT{ÑxEXÐ\TéU¯ÜO