"""User functions that are never probed, with the reasons: data for `resolve`.

A probe at a function's return replaces the return address on the stack (Linux, arch/x86/kernel/uprobes.c,
arch_uretprobe_hijack_return_addr). That is invisible to ordinary code, but not to functions that return twice, that
leave without returning, or that look at who called them.

C++ exceptions that unwind *through* a probed function meet the replaced address, and the program aborts. In binaries
that take part in exceptions the runtime sees the ends of calls at the functions' exits instead; what belongs here are
functions of plain C libraries that call back into such programs.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import Final

RULES: Final = {
    "returns twice": """
        setjmp _setjmp sigsetjmp __sigsetjmp __sigjmp_save getcontext __getcontext
        vfork __vfork __libc_vfork clone __clone clone3 __clone3 __clone_internal*
    """,
    "does not return to its caller": """
        longjmp _longjmp siglongjmp __libc_*longjmp ____longjmp_chk __longjmp*
        setcontext __setcontext swapcontext __swapcontext __start_context
        exit _exit _Exit quick_exit abort __assert*_fail* __stack_chk_fail __chk_fail __fortify_fail* __libc_fatal
        __libc_start_* _start start_thread pthread_exit __pthread_exit thrd_exit __pthread_unwind* __do_cancel
        __restore_rt exec[lv]* fexecve
    """,
    "acts on its caller's address, which a return probe replaces": """
        dlopen dlmopen dlsym dlvsym __dlopen __dlsym __libc_dlopen* __libc_dlsym dl_iterate_phdr __dl_iterate_phdr
        mcount _mcount __fentry__ __cyg_profile_func_* __syscall_cancel*
        __pthread_*_cancel __pthread_*able_asynccancel __libc_*able_asynccancel
    """,
    "walks the stack, where a return probe replaces addresses": """
        _Unwind_* __cxa_throw* __cxa_rethrow* __cxa_begin_catch __cxa_end_catch __cxa_allocate_exception
        __gxx_personality_* __gcc_personality_* backtrace __backtrace
    """,
    "belongs to the dynamic loader, which runs before the program is whole": """
        _dl_* __rtld_* _rtld_* rtld_* _init _fini __libc_early_init __libc_init_*
    """,
    "calls back into the program, and a C++ exception out of there would meet the return probe": """
        qsort* bsearch lfind lsearch tsearch tfind tdelete twalk* tdestroy ftw* nftw* fts_* glob* scandir* pthread_once
        __pthread_once call_once __cxa_finalize on_exit atexit __cxa_atexit
    """,
    "is not called as other functions are": """
        __tls_get_addr* __morestack* __x86_*thunk* __gmon_start__ frame_dummy
        register_tm_clones deregister_tm_clones __do_global_dtors_aux *.cold *.cold.*
    """,
}
"""Names by reason, with shell wildcards. `foo.cold` is the rare half of foo: it is jumped into, and has no caller."""


def reason(symbol: str) -> str | None:
    """Why a function must not be probed; None for one that may."""
    return next((why for why, pattern in _compiled() if pattern.match(symbol)), None)


@functools.cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((why, re.compile("|".join(map(fnmatch.translate, names.split())))) for why, names in RULES.items())
