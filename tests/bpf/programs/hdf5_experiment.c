/* SPDX-License-Identifier: MIT */
/*
 * hdf5_experiment FILE WRITES waiting|alone|strided|flushed
 *
 * Two ranks or more write a field WRITES times with HDF5 over MPI-IO, and each prints what it measured itself: with its
 * own clock around the calls of HDF5, and with MPI's profiling interface (MPI standard, section "Profiling Interface")
 * around those of MPI that HDF5 makes inside them.
 *
 *   waiting  all ranks write collectively, and all but the first come LATE_MS later each time
 *   alone    the same ranks come later, but each writes its half of the field independently of the others
 *   strided  as alone, but in turns of PIECE bytes, and nobody comes later
 *   flushed  as alone, with an H5Fflush after each write, and nobody comes later
 */
#include <hdf5.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE 4096
#define VALUES 524288 /* of each rank: 4 MiB */
#define LATE_MS 100

struct sum {
  const char *name;
  long calls, ns;
};

static struct sum sums[] = {{"H5Dwrite", 0, 0},      {"H5Fflush", 0, 0},          {"MPI_Allreduce", 0, 0},
                            {"MPI_Barrier", 0, 0},   {"MPI_File_write_at", 0, 0}, {"MPI_File_write_at_all", 0, 0},
                            {"MPI_File_sync", 0, 0}, {"MPI_Bcast", 0, 0}};
enum { DWRITE, FFLUSH, ALLREDUCE, BARRIER, WRITE_AT, WRITE_AT_ALL, SYNC, BCAST, SUMS };
static int inside; /* only calls that HDF5 makes below H5Dwrite and H5Fflush count */

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

#define ADD(which, call)                                                                                               \
  long begin = now();                                                                                                  \
  int result = (call);                                                                                                 \
  if (inside) {                                                                                                        \
    sums[which].ns += now() - begin;                                                                                   \
    sums[which].calls++;                                                                                               \
  }                                                                                                                    \
  return result

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  ADD(ALLREDUCE, PMPI_Allreduce(from, to, count, type, op, comm));
}
int MPI_Barrier(MPI_Comm comm) { ADD(BARRIER, PMPI_Barrier(comm)); }
int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm) {
  ADD(BCAST, PMPI_Bcast(buffer, count, type, root, comm));
}
int MPI_File_write_at(MPI_File file, MPI_Offset at, const void *from, int count, MPI_Datatype type, MPI_Status *done) {
  ADD(WRITE_AT, PMPI_File_write_at(file, at, from, count, type, done));
}
int MPI_File_write_at_all(MPI_File file, MPI_Offset at, const void *from, int count, MPI_Datatype type,
                          MPI_Status *done) {
  ADD(WRITE_AT_ALL, PMPI_File_write_at_all(file, at, from, count, type, done));
}
int MPI_File_sync(MPI_File file) { ADD(SYNC, PMPI_File_sync(file)); }

static int timed(int which, hid_t file, hid_t field, hid_t memory, hid_t place, hid_t how, const double *values) {
  long begin = now();
  inside = 1;
  herr_t done = which == DWRITE ? H5Dwrite(field, H5T_NATIVE_DOUBLE, memory, place, how, values)
                                : H5Fflush(file, H5F_SCOPE_GLOBAL);
  inside = 0;
  sums[which].ns += now() - begin;
  sums[which].calls++;
  return done < 0;
}

int main(int count, char **arguments) {
  int rank, size, failed = 0;
  if (count != 4)
    return 2;
  const char *mode = arguments[3];
  MPI_Init(&count, &arguments);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int collective = !strcmp(mode, "waiting"), late = rank && (collective || !strcmp(mode, "alone"));
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), how = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
  H5Pset_dxpl_mpio(how, collective ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT);
  hid_t file = H5Fcreate(arguments[1], H5F_ACC_TRUNC, H5P_DEFAULT, access);
  hsize_t part = VALUES, whole = part * (hsize_t)size, start = part * (hsize_t)rank;
  hid_t place = H5Screate_simple(1, &whole, NULL), memory = H5Screate_simple(1, &part, NULL);
  hid_t field = H5Dcreate2(file, "field", H5T_NATIVE_DOUBLE, place, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (!strcmp(mode, "strided")) {
    hsize_t block = PIECE / sizeof(double), stride = block * (hsize_t)size, blocks = part / block;
    start = block * (hsize_t)rank;
    H5Sselect_hyperslab(place, H5S_SELECT_SET, &start, &stride, &blocks, &block);
  } else {
    H5Sselect_hyperslab(place, H5S_SELECT_SET, &start, NULL, &part, NULL);
  }
  double *values = calloc(VALUES, sizeof(*values));
  for (int i = 0; i < atoi(arguments[2]); i++) {
    PMPI_Barrier(MPI_COMM_WORLD);
    if (late)
      usleep(LATE_MS * 1000);
    failed |= timed(DWRITE, file, field, memory, place, how, values);
    if (!strcmp(mode, "flushed"))
      failed |= timed(FFLUSH, file, field, memory, place, how, values);
  }
  H5Dclose(field);
  H5Fclose(file);
  for (int turn = 0; turn < size; turn++) {
    PMPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; turn == rank && i < SUMS; i++)
      printf("%d %d %s %ld %ld\n", rank, getpid(), sums[i].name, sums[i].calls, sums[i].ns);
    fflush(stdout);
  }
  MPI_Finalize();
  return failed;
}
