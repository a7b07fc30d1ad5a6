;; The three steps in which the model spends its time, on four numbers at once (SIMD).
;; bert.mjs has the same steps as plain loops; kernel.mjs lays the numbers out for this program.
;; All arrays hold float32 numbers. An address, a stride and a size are in bytes.
(module
  (memory (export "memory") 1)

  ;; out = a bᵀ + bias: every row of a with every row of b, plus one number for each row of b.
  ;; a (n, k), n even; bias (m), m a multiple of 16; out (n, m).
  ;; b comes in panels of 16 rows, column by column: the 16 numbers of column 0, then of column 1.
  ;; One number of a meets those 16 at once; two rows of a share them. The eight sums of four
  ;; stay in registers until the row is done.
  (func (export "product")
    (param $a i32) (param $b i32) (param $bias i32) (param $out i32)
    (param $n i32) (param $m i32) (param $k i32)
    (local $row i32) (local $out_row i32) (local $panel_end i32) (local $bias_end i32)
    (local $a0 i32) (local $a1 i32) (local $a_end i32) (local $column i32) (local $o i32)
    (local $x v128) (local $y v128)
    (local $b0 v128) (local $b1 v128) (local $b2 v128) (local $b3 v128)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local $t0 v128) (local $t1 v128) (local $t2 v128) (local $t3 v128)
    (local.set $row (i32.shl (local.get $k) (i32.const 2)))
    (local.set $out_row (i32.shl (local.get $m) (i32.const 2)))
    (local.set $a_end (i32.add (local.get $a) (i32.mul (local.get $n) (local.get $row))))
    (local.set $bias_end (i32.add (local.get $bias) (local.get $out_row)))
    (loop $panels
      (local.set $panel_end (i32.add (local.get $b) (i32.shl (local.get $row) (i32.const 4))))
      (local.set $a0 (local.get $a))
      (local.set $o (local.get $out))
      (loop $rows
        (local.set $a1 (i32.add (local.get $a0) (local.get $row)))
        (local.set $s0 (v128.load (local.get $bias)))
        (local.set $s1 (v128.load offset=16 (local.get $bias)))
        (local.set $s2 (v128.load offset=32 (local.get $bias)))
        (local.set $s3 (v128.load offset=48 (local.get $bias)))
        (local.set $t0 (local.get $s0)) (local.set $t1 (local.get $s1))
        (local.set $t2 (local.get $s2)) (local.set $t3 (local.get $s3))
        (local.set $column (local.get $b))
        (loop $columns
          (local.set $x (v128.load32_splat (local.get $a0)))
          (local.set $y (v128.load32_splat (local.get $a1)))
          (local.set $b0 (v128.load (local.get $column)))
          (local.set $b1 (v128.load offset=16 (local.get $column)))
          (local.set $b2 (v128.load offset=32 (local.get $column)))
          (local.set $b3 (v128.load offset=48 (local.get $column)))
          (local.set $s0 (f32x4.add (local.get $s0) (f32x4.mul (local.get $x) (local.get $b0))))
          (local.set $s1 (f32x4.add (local.get $s1) (f32x4.mul (local.get $x) (local.get $b1))))
          (local.set $s2 (f32x4.add (local.get $s2) (f32x4.mul (local.get $x) (local.get $b2))))
          (local.set $s3 (f32x4.add (local.get $s3) (f32x4.mul (local.get $x) (local.get $b3))))
          (local.set $t0 (f32x4.add (local.get $t0) (f32x4.mul (local.get $y) (local.get $b0))))
          (local.set $t1 (f32x4.add (local.get $t1) (f32x4.mul (local.get $y) (local.get $b1))))
          (local.set $t2 (f32x4.add (local.get $t2) (f32x4.mul (local.get $y) (local.get $b2))))
          (local.set $t3 (f32x4.add (local.get $t3) (f32x4.mul (local.get $y) (local.get $b3))))
          (local.set $a0 (i32.add (local.get $a0) (i32.const 4)))
          (local.set $a1 (i32.add (local.get $a1) (i32.const 4)))
          (local.set $column (i32.add (local.get $column) (i32.const 64)))
          (br_if $columns (i32.lt_u (local.get $column) (local.get $panel_end))))
        (v128.store (local.get $o) (local.get $s0))
        (v128.store offset=16 (local.get $o) (local.get $s1))
        (v128.store offset=32 (local.get $o) (local.get $s2))
        (v128.store offset=48 (local.get $o) (local.get $s3))
        (local.set $o (i32.add (local.get $o) (local.get $out_row)))
        (v128.store (local.get $o) (local.get $t0))
        (v128.store offset=16 (local.get $o) (local.get $t1))
        (v128.store offset=32 (local.get $o) (local.get $t2))
        (v128.store offset=48 (local.get $o) (local.get $t3))
        (local.set $o (i32.add (local.get $o) (local.get $out_row)))
        (local.set $a0 (local.get $a1)) ;; a1 has reached the end of its row: the next pair
        (br_if $rows (i32.lt_u (local.get $a0) (local.get $a_end))))
      (local.set $b (local.get $panel_end))
      (local.set $out (i32.add (local.get $out) (i32.const 64)))
      (local.set $bias (i32.add (local.get $bias) (i32.const 64)))
      (br_if $panels (i32.lt_u (local.get $bias) (local.get $bias_end)))))

  ;; e to the power of x, for x at most 0; below -87 it is 0, as near as a float32 comes.
  ;; x = whole * ln 2 + rest; e^rest by its Taylor series; 2^whole by writing the exponent's bits.
  (func $exp (param $x v128) (result v128)
    (local $whole v128) (local $rest v128)
    (local.set $whole (f32x4.nearest (f32x4.mul
      (f32x4.max (local.get $x) (v128.const f32x4 -87 -87 -87 -87))
      (v128.const f32x4 1.44269504 1.44269504 1.44269504 1.44269504))))
    ;; ln 2 in two parts, the first with few digits, so that the difference is exact
    (local.set $rest (f32x4.sub
      (f32x4.sub (local.get $x) (f32x4.mul (local.get $whole)
        (v128.const f32x4 0.693359375 0.693359375 0.693359375 0.693359375)))
      (f32x4.mul (local.get $whole)
        (v128.const f32x4 -0.000212194440 -0.000212194440 -0.000212194440 -0.000212194440))))
    (v128.and
      (f32x4.gt (local.get $x) (v128.const f32x4 -87 -87 -87 -87))
      (i32x4.add
        (i32x4.shl (i32x4.trunc_sat_f32x4_s (local.get $whole)) (i32.const 23))
        (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $rest)
        (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $rest)
        (f32x4.add (v128.const f32x4 0.5 0.5 0.5 0.5) (f32x4.mul (local.get $rest)
        (f32x4.add (v128.const f32x4 0.16666667 0.16666667 0.16666667 0.16666667) (f32x4.mul (local.get $rest)
        (f32x4.add (v128.const f32x4 0.041666667 0.041666667 0.041666667 0.041666667) (f32x4.mul (local.get $rest)
        (f32x4.add (v128.const f32x4 0.0083333333 0.0083333333 0.0083333333 0.0083333333) (f32x4.mul (local.get $rest)
          (v128.const f32x4 0.0013888889 0.0013888889 0.0013888889 0.0013888889))))))))))))))))

  ;; Turn each row of scores into weights that add up to 1, in place: e^(scale (score - largest)),
  ;; divided by their sum. A row is $row bytes long, a multiple of 16; the last ends at $end.
  (func (export "softmax") (param $row_start i32) (param $end i32) (param $row i32) (param $scale f32)
    (local $p i32) (local $row_end i32) (local $v v128) (local $scales v128)
    (local.set $scales (f32x4.splat (local.get $scale)))
    (loop $rows
      (local.set $row_end (i32.add (local.get $row_start) (local.get $row)))
      (local.set $v (v128.load (local.get $row_start)))
      (local.set $p (local.get $row_start))
      (loop $largest
        (local.set $v (f32x4.max (local.get $v) (v128.load (local.get $p))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br_if $largest (i32.lt_u (local.get $p) (local.get $row_end))))
      (local.set $v (f32x4.max (local.get $v) ;; all four lanes: the largest of the four
        (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $v) (local.get $v))))
      (local.set $v (f32x4.max (local.get $v)
        (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $v) (local.get $v))))
      (call $exponentials (local.get $row_start) (local.get $row_end) (local.get $v) (local.get $scales))
      (local.set $row_start (local.get $row_end))
      (br_if $rows (i32.lt_u (local.get $row_start) (local.get $end)))))

  ;; One row of softmax, its largest score known.
  (func $exponentials (param $start i32) (param $end i32) (param $largest v128) (param $scales v128)
    (local $p i32) (local $v v128) (local $sum v128)
    (local.set $p (local.get $start))
    (loop $raise
      (local.set $v (call $exp (f32x4.mul (local.get $scales)
        (f32x4.sub (v128.load (local.get $p)) (local.get $largest)))))
      (v128.store (local.get $p) (local.get $v))
      (local.set $sum (f32x4.add (local.get $sum) (local.get $v)))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $raise (i32.lt_u (local.get $p) (local.get $end))))
    (local.set $sum (f32x4.splat (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
      (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum))))))
    (local.set $p (local.get $start))
    (loop $divide
      (v128.store (local.get $p) (f32x4.div (v128.load (local.get $p)) (local.get $sum)))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $divide (i32.lt_u (local.get $p) (local.get $end)))))

  ;; x (1 + erf(x / √2)) / 2 in place, from $p to $end; erf as in bert.mjs.
  ;; Since erf(-x) = -erf(x), this is (x + |x| erf(|x| / √2)) / 2.
  (func (export "gelu") (param $p i32) (param $end i32)
    (local $x v128) (local $size v128) (local $t v128)
    (loop $numbers
      (local.set $x (v128.load (local.get $p)))
      (local.set $size (f32x4.abs (local.get $x)))
      (local.set $t (f32x4.div (v128.const f32x4 1 1 1 1) (f32x4.add (v128.const f32x4 1 1 1 1)
        (f32x4.mul (local.get $size) ;; 0.3275911 / √2
          (v128.const f32x4 0.23164189 0.23164189 0.23164189 0.23164189)))))
      (v128.store (local.get $p) (f32x4.mul (v128.const f32x4 0.5 0.5 0.5 0.5) (f32x4.add
        (local.get $x)
        (f32x4.mul (local.get $size) (f32x4.sub (v128.const f32x4 1 1 1 1) (f32x4.mul
          (call $exp (f32x4.mul (v128.const f32x4 -0.5 -0.5 -0.5 -0.5)
            (f32x4.mul (local.get $x) (local.get $x))))
          (f32x4.mul (local.get $t)
          (f32x4.add (v128.const f32x4 0.254829592 0.254829592 0.254829592 0.254829592) (f32x4.mul (local.get $t)
          (f32x4.add (v128.const f32x4 -0.284496736 -0.284496736 -0.284496736 -0.284496736) (f32x4.mul (local.get $t)
          (f32x4.add (v128.const f32x4 1.421413741 1.421413741 1.421413741 1.421413741) (f32x4.mul (local.get $t)
          (f32x4.add (v128.const f32x4 -1.453152027 -1.453152027 -1.453152027 -1.453152027) (f32x4.mul (local.get $t)
            (v128.const f32x4 1.061405429 1.061405429 1.061405429 1.061405429))))))))))))))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $numbers (i32.lt_u (local.get $p) (local.get $end)))))
)
