# What a folder D was made with is kept in it: what is there already would be taken for the product of other settings. A makefile sets `kept`, the
# names of files in D, and kept_NAME, the settings that each holds, before it includes this; what is made by them depends on the file, by `|`.
quoted = '$(subst ','\'',$1)'
$(kept:%=$D/%): $D/%: FORCE
	@mkdir -p $(@D)
	@[ -e $@ ] || printf '%s\n' $(call quoted,$(kept_$*)) >$@
	@printf '%s\n' $(call quoted,$(kept_$*)) | cmp -s - $@ || { printf '%s: is "%s", not "%s": set D to another folder\n' $@ "$$(cat $@)" $(call quoted,$(kept_$*)) >&2; exit 1; }
# What is shown is told anew when it is asked for otherwise: by other words in `shown`.
$D/shown: FORCE
	@mkdir -p $D
	@printf '%s\n' $(call quoted,$(shown)) | cmp -s - $@ || printf '%s\n' $(call quoted,$(shown)) >$@
FORCE:
.PHONY: FORCE
