package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.Tiles;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * Tells by shapes which weights share a scale: all, those of an output channel, of a tile, or of a
 * group of input channels; per expert where there are experts. Sizes that config.json states come
 * first; where it states none, or others than the shapes have, they are taken from the shapes, if
 * only one size fits.
 *
 * @param tileRows of the tiles that config.json states, else the usual ones
 * @param groups sizes of groups that config.json states
 * @param scalesTransposed whether scales of tiles have a row for each column of tiles; square
 *     matrices do not tell, so all matrices of a checkpoint are asked
 */
record TileFinder(int tileRows, int tileColumns, List<Integer> groups, boolean scalesTransposed) {
  private static final int SMALLEST = 8;
  private static final int LARGEST = 1 << 12;

  /**
   * The matrix as it is stored.
   *
   * @param experts 0 where there is no dimension for them
   * @param isTransposed whether rows are input channels
   * @param parts matrices of as many output channels each that are fused; 1 where there is one
   */
  record Stored(long experts, long rows, long columns, boolean isTransposed, int parts) {
    long out() {
      return isTransposed ? columns : rows;
    }

    long in() {
      return isTransposed ? rows : columns;
    }
  }

  /**
   * Whether the matrix's scales are stored transposed; empty where they fit both ways or neither.
   */
  Optional<Boolean> tellsTransposed(List<Long> matrix, List<Long> scales) {
    if (matrix.size() != 2 || scales.size() < 2) {
      return Optional.empty();
    }
    long rows = matrix.getFirst();
    long columns = matrix.getLast();
    return grid(scales)
        .filter(grid -> grid.get(0) > 1 && grid.get(1) > 1)
        .flatMap(
            grid -> {
              boolean turned = sizes(rows, grid.get(1), columns, grid.get(0)).isPresent();
              boolean isStated = stated(rows, grid.get(1), columns, grid.get(0));
              boolean straight =
                  sizes(rows, grid.get(0), columns, grid.get(1)).isPresent()
                      || !isStated && oblong(rows, grid.get(0), columns, grid.get(1)).isPresent();
              return turned == straight ? Optional.empty() : Optional.of(turned);
            });
  }

  TileFinder withTransposedScales() {
    return new TileFinder(tileRows, tileColumns, groups, true);
  }

  /** Empty where the shape of the scales does not fit, or fits in more than one way. */
  Optional<Tiles> find(Stored matrix, List<Long> scales) {
    if (scales.stream().anyMatch(length -> length < 1)) {
      return Optional.empty();
    }
    if (scales.stream().allMatch(length -> length == 1)) {
      return Optional.of(tiles(matrix.out(), matrix.in(), false, false));
    }
    boolean isStack = matrix.experts() > 0;
    if (isStack && !scales.getFirst().equals(matrix.experts())) {
      return Optional.empty();
    }
    List<Long> own = isStack ? scales.subList(1, scales.size()) : scales;
    return grid(own)
        .flatMap(
            grid ->
                grid.get(0) == 1 || grid.get(1) == 1
                    ? line(matrix, grid, own.size() > 1, isStack)
                    : plane(matrix, grid, isStack));
  }

  /** As two lengths; those of 1 that only stand for the inside of tiles are left out. */
  private static Optional<List<Long>> grid(List<Long> shape) {
    List<Long> rest = new ArrayList<>(shape);
    if (rest.size() == 4 && rest.get(1) == 1 && rest.get(3) == 1) {
      rest = new ArrayList<>(List.of(rest.get(0), rest.get(2)));
    }
    while (rest.size() > 2 && rest.getFirst() == 1) {
      rest.removeFirst();
    }
    while (rest.size() < 2) {
      rest.add(1L);
    }
    return rest.size() == 2 ? Optional.of(rest) : Optional.empty();
  }

  /**
   * Scales along one side of the matrix: of channels, of fused matrices, or of tiles as wide as all
   * of it.
   */
  private Optional<Tiles> line(
      Stored matrix, List<Long> grid, boolean mayBeTiles, boolean perExpert) {
    long count = grid.get(0) * grid.get(1);
    if (count == 1 || count == matrix.out()) {
      return Optional.of(tiles(matrix.out() / count, matrix.in(), perExpert, false));
    }
    if (mayBeTiles && stated(matrix.rows(), grid.get(0), matrix.columns(), grid.get(1))) {
      return plane(matrix, grid, perExpert);
    }
    if (count == matrix.parts() && matrix.out() % count == 0) {
      return Optional.of(tiles(matrix.out() / count, matrix.in(), perExpert, false));
    }
    if (count == matrix.in()) {
      return Optional.of(tiles(matrix.out(), 1, perExpert, false));
    }
    return mayBeTiles ? plane(matrix, grid, perExpert) : Optional.empty();
  }

  private Optional<Tiles> plane(Stored matrix, List<Long> grid, boolean perExpert) {
    Optional<Tiles> turned =
        sizes(matrix.rows(), grid.get(1), matrix.columns(), grid.get(0))
            .map(size -> oriented(matrix, size, true, perExpert));
    return (scalesTransposed ? turned : Optional.<Tiles>empty())
        .or(
            () ->
                sizes(matrix.rows(), grid.get(0), matrix.columns(), grid.get(1))
                    .or(() -> oblong(matrix.rows(), grid.get(0), matrix.columns(), grid.get(1)))
                    .map(size -> oriented(matrix, size, false, perExpert)))
        .or(() -> turned);
  }

  /** Lengths of a tile along the stored rows and columns. */
  private record Size(long rows, long columns) {}

  private static Tiles oriented(Stored matrix, Size size, boolean isSwapped, boolean perExpert) {
    return matrix.isTransposed()
        ? tiles(size.columns(), size.rows(), perExpert, !isSwapped)
        : tiles(size.rows(), size.columns(), perExpert, isSwapped);
  }

  private static Tiles tiles(long rows, long columns, boolean perExpert, boolean isTransposed) {
    return new Tiles(Math.toIntExact(rows), Math.toIntExact(columns), perExpert, isTransposed);
  }

  private Optional<Size> sizes(long rows, long rowTiles, long columns, long columnTiles) {
    if (stated(rows, rowTiles, columns, columnTiles)) {
      return Optional.of(new Size(tileRows, tileColumns));
    }
    if (rowTiles == rows) {
      return group(columns, columnTiles).map(size -> new Size(1, size));
    }
    if (columnTiles == columns) {
      return group(rows, rowTiles).map(size -> new Size(size, 1));
    }
    return square(rows, rowTiles, columns, columnTiles);
  }

  private static Optional<Size> oblong(long rows, long rowTiles, long columns, long columnTiles) {
    OptionalLong high = powerOfTwo(rows, rowTiles);
    OptionalLong wide = powerOfTwo(columns, columnTiles);
    return high.isPresent() && wide.isPresent()
        ? Optional.of(new Size(high.getAsLong(), wide.getAsLong()))
        : Optional.empty();
  }

  private boolean stated(long rows, long rowTiles, long columns, long columnTiles) {
    return Math.ceilDiv(rows, tileRows) == rowTiles
        && Math.ceilDiv(columns, tileColumns) == columnTiles;
  }

  /**
   * Groups are equally long, unless config.json states a size with which the last one is shorter.
   */
  private Optional<Long> group(long length, long count) {
    return groups.stream()
        .map(Integer::longValue)
        .filter(size -> Math.ceilDiv(length, size) == count)
        .findFirst()
        .or(() -> length % count == 0 ? Optional.of(length / count) : Optional.empty());
  }

  private static Optional<Size> square(long rows, long rowTiles, long columns, long columnTiles) {
    List<Long> fitting =
        powers()
            .filter(
                size ->
                    Math.ceilDiv(rows, size) == rowTiles
                        && Math.ceilDiv(columns, size) == columnTiles)
            .boxed()
            .toList();
    if (fitting.size() == 1) {
      return Optional.of(new Size(fitting.getFirst(), fitting.getFirst()));
    }
    boolean isWhole = rows % rowTiles == 0 && columns % columnTiles == 0;
    return fitting.isEmpty() && isWhole && rows / rowTiles == columns / columnTiles
        ? Optional.of(new Size(rows / rowTiles, columns / columnTiles))
        : Optional.empty();
  }

  private static OptionalLong powerOfTwo(long length, long count) {
    return count == 1
        ? OptionalLong.of(length)
        : powers().filter(size -> Math.ceilDiv(length, size) == count).findFirst();
  }

  private static LongStream powers() {
    return LongStream.iterate(SMALLEST, size -> size <= LARGEST, size -> 2 * size);
  }
}
