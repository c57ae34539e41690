"""Kernel functions that are never probed, with the reasons: data for the source of kernel functions and for the signer.

The kernel itself refuses what it marks `notrace` or `nokprobe`, but a probe in what every probe passes through, or in
code that runs thousands of times in each system call, brings a node to a halt all the same.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import Final

RULES: Final = {
    "runs in NMIs or at the kernel's very entries, where a probe may not run": """
        *nmi* asm_* exc_* sysvec_* __sysvec_* idtentry_* entry_* __entry_* do_syscall_* syscall_enter_*
        syscall_exit_* irqentry_* __irqentry_* error_entry* paranoid_* fixup_exception do_int3* *_trap
        do_error_trap mce_* *machine_check* ret_from_fork* do_syscall_trace_*
    """,
    "is a part of tracing itself: a probe in it would call itself": """
        ftrace_* __ftrace_* arch_ftrace_* function_trace* trace_* __trace_* tracing_* tracer_* ring_buffer_*
        rb_* perf_* __perf_* bpf_* __bpf_* ___bpf_* btf_* rethook_* arch_rethook_* fprobe_* kprobe* __kprobe*
        kretprobe* arch_kprobe* uprobe_* __uprobe* uretprobe* handle_*step* htab_* array_map_* task_storage_*
        lru_* *_map_lookup_elem* *_map_update_elem* prog_array* unwind_* __unwind_* stack_trace_* kallsyms_*
        __kallsyms* module_address_lookup copy_from_kernel_nofault* strncpy_from_kernel_nofault* probe_kernel_*
        text_poke* __static_call* static_key_* jump_label_* __traceiter_* __probestub_* __bpf_trace_*
        trace_event_* rcu_tasks_* mcount* __fentry__
    """,
    "is a part of locking, scheduling or of the clock, which every probe needs": """
        *spin_lock* *spin_unlock* *spin_trylock* *raw_spin* _raw_* __raw_* queued_* native_queued_* pv_queued_*
        *mutex_lock* *mutex_unlock* *mutex_trylock* *rwsem* down_read* down_write* up_read* up_write*
        percpu_down* percpu_up* lock_* __lock_acquire* lockdep_* osq_* mcs_* rcu_* __rcu_* *srcu* call_rcu*
        kvfree_call_rcu schedule __schedule preempt_schedule* __cond_resched* schedule_* finish_task_switch*
        switch_* __switch_* context_switch prepare_task_switch try_to_wake_up ttwu_* wake_up_q wake_q_*
        pick_next_* pick_task_* enqueue_task_* dequeue_task_* update_curr* update_load_avg* sched_clock*
        *_sched_clock* ktime_get* __ktime_* read_tsc native_sched* timekeeping_* hrtimer_interrupt tick_*
        update_process_times update_wall_time run_local_timers preempt_* migrate_enable migrate_disable
        irq_enter* irq_exit* __irq_* handle_irq* *softirq* local_bh_* __local_bh_* arch_cpu_idle* cpuidle_*
        default_idle* do_idle native_* paravirt_* __this_cpu_preempt_check smp_call_function*
    """,
    "is a part of printing the kernel's messages or of ending it": """
        printk* _printk* __printk* vprintk* console_* __console_* panic* __warn* oops_* die* __die* crash_*
        kgdb_* machine_* emergency_restart report_bug show_regs* dump_stack*
    """,
    "is a small routine that is called everywhere": """
        mem[cs]* __mem* str[a-z]* __str* clear_page* copy_page* copy_user_* __copy_user* rep_movs* rep_stos*
        *_retpoline* __x86_* __stack_chk_fail __sanitizer_* __kasan_* kasan_* __asan_* __tsan_* kcsan_* kmsan_*
        __fortify* __check_* __list_*_or_report get_random_* __get_user* __put_user*
    """,
    "is a piece that the compiler made of a function, with arguments of its own": """
        *.cold *.cold.* *.isra.* *.part.* *.constprop.* *.lto_priv* *.llvm.* __pfx_* __cfi_* __initstub_*
        __SCT__* __SCK__*
    """,
    "does not return": """
        do_exit do_group_exit make_task_dead do_task_dead kthread_exit *kthread_complete_and_exit start_thread
    """,
    "runs only when the kernel or a module starts": """
        __init_* init_module cleanup_module do_one_initcall do_init_module
    """,
}
"""Names by reason, with shell wildcards."""


def reason(symbol: str) -> str | None:
    """Why a kernel function must not be probed; None for one that may."""
    return next((why for why, pattern in _compiled() if pattern.match(symbol)), None)


@functools.cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((why, re.compile("|".join(map(fnmatch.translate, names.split())))) for why, names in RULES.items())
