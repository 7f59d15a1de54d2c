#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

/* Signal policy, set once by program_main(). Filters: default SIGPIPE; SIGINT/SIGTERM/SIGHUP remove unfinished
 * outputs and end the process by the same signal. Trainers: SIGPIPE ignored; SIGINT/SIGTERM/SIGUSR1 only set
 * a flag (a second SIGINT ends at once). For all a SIGHUP or SIGINT that was ignored stays so (nohup, background jobs
 * of scripts), SIGXFSZ is ignored, so that a size limit is an error, and a mapped file that is cut short under them
 * (SIGBUS) is one, too. */
void signals_filter(void);
void signals_trainer(void);
int signals_stop(void); /* the signal that asked a trainer to save and stop, or 0 */
#endif
