// Behaviour of the ECP5's block RAM: DP16KD, two ports of up to 18 bits or a write and a read port of 36, and
// PDPW16KD, its form whose write port has 36 bits. For netlists in simulation: Yosys has no model of them.
// Follows Lattice's FPGA-TN-02204 ("ECP5 and ECP5-5G Memory User Guide") and the section "sysMEM Memory" of
// the family data sheet.
//
// * 1,024 words of 18 bits, two bytes of 9 each. INITVAL_xx has 16 words, each in the lower 18 of 20 bits.
// * Addresses count bits: a port of 36 bits uses AD[13:5], of 18 AD[13:4], of 9 AD[13:3], of 4, 2 and 1
//   AD[13:2], AD[13:1] and AD[13:0]. Ports of 4 bits and less skip every ninth bit.
// * A clock edge with CE and the chip select that CSDECODE asks for reads; with WE it writes. In writes of 18
//   bits AD[1:0] enable the bytes, in those of 36 AD[3:0].
// * During a write the output keeps its value (NORMAL), shows what is written (WRITETHROUGH) or what was
//   there (READBEFOREWRITE).
// * REGMODE OUTREG adds a register, enabled by OCE. RST clears output and register, with the clock or, by
//   RESETMODE ASYNC, at once. Both power up as 0.
// * In 36-bit form port A writes and port B reads; DIA and DOA are the lower half of a word.

module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 320'b0, INITVAL_01 = 320'b0, INITVAL_02 = 320'b0, INITVAL_03 = 320'b0,
    INITVAL_04 = 320'b0, INITVAL_05 = 320'b0, INITVAL_06 = 320'b0, INITVAL_07 = 320'b0, INITVAL_08 = 320'b0,
    INITVAL_09 = 320'b0, INITVAL_0A = 320'b0, INITVAL_0B = 320'b0, INITVAL_0C = 320'b0, INITVAL_0D = 320'b0,
    INITVAL_0E = 320'b0, INITVAL_0F = 320'b0, INITVAL_10 = 320'b0, INITVAL_11 = 320'b0, INITVAL_12 = 320'b0,
    INITVAL_13 = 320'b0, INITVAL_14 = 320'b0, INITVAL_15 = 320'b0, INITVAL_16 = 320'b0, INITVAL_17 = 320'b0,
    INITVAL_18 = 320'b0, INITVAL_19 = 320'b0, INITVAL_1A = 320'b0, INITVAL_1B = 320'b0, INITVAL_1C = 320'b0,
    INITVAL_1D = 320'b0, INITVAL_1E = 320'b0, INITVAL_1F = 320'b0, INITVAL_20 = 320'b0, INITVAL_21 = 320'b0,
    INITVAL_22 = 320'b0, INITVAL_23 = 320'b0, INITVAL_24 = 320'b0, INITVAL_25 = 320'b0, INITVAL_26 = 320'b0,
    INITVAL_27 = 320'b0, INITVAL_28 = 320'b0, INITVAL_29 = 320'b0, INITVAL_2A = 320'b0, INITVAL_2B = 320'b0,
    INITVAL_2C = 320'b0, INITVAL_2D = 320'b0, INITVAL_2E = 320'b0, INITVAL_2F = 320'b0, INITVAL_30 = 320'b0,
    INITVAL_31 = 320'b0, INITVAL_32 = 320'b0, INITVAL_33 = 320'b0, INITVAL_34 = 320'b0, INITVAL_35 = 320'b0,
    INITVAL_36 = 320'b0, INITVAL_37 = 320'b0, INITVAL_38 = 320'b0, INITVAL_39 = 320'b0, INITVAL_3A = 320'b0,
    INITVAL_3B = 320'b0, INITVAL_3C = 320'b0, INITVAL_3D = 320'b0, INITVAL_3E = 320'b0, INITVAL_3F = 320'b0
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
    DIA2, DIA1, DIA0, ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
    DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
    DIB2, DIB1, DIB0, ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
    DOB2, DOB1, DOB0
);
    reg [17:0] memory [0:1023];
    localparam [64*320-1:0] INITIAL = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    localparam WIDE = DATA_WIDTH_A == 36;

    integer word;
    initial begin
        for (word = 0; word < 1024; word = word + 1)
            memory[word] = INITIAL[320 * (word / 16) + 20 * (word % 16) +: 18];
    end

    // The first bit, and the bits, of an 18-bit word that a port of some width sees.
    function [4:0] first(input integer width, input [13:0] address);
        case (width)
            1: first = 9 * address[3] + address[2:0];
            2: first = 9 * address[3] + 2 * address[2:1];
            4: first = 9 * address[3] + 4 * address[2];
            9: first = 9 * address[3];
            default: first = 0;
        endcase
    endfunction

    function [17:0] mask(input integer width, input [13:0] address);
        case (width)
            1: mask = 18'h1 << first(1, address);
            2: mask = 18'h3 << first(2, address);
            4: mask = 18'hf << first(4, address);
            9: mask = 18'h1ff << first(9, address);
            default: mask = {{9{address[1]}}, {9{address[0]}}};
        endcase
    endfunction

    function [2:0] decoded(input [8*5-1:0] select);  // of "0b001" the last three digits
        decoded = {select[16], select[8], select[0]};
    endfunction

    wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
        ADA0};
    wire clka = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire ona = CEA === 1'b1 && {CSA2, CSA1, CSA0} === decoded(CSDECODE_A);
    wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
        ADB0};
    wire clkb = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire onb = CEB === 1'b1 && {CSB2, CSB1, CSB0} === decoded(CSDECODE_B);

    reg [17:0] outa = 0, outb = 0, registera = 0, registerb = 0;
    wire [17:0] maska = mask(DATA_WIDTH_A, ada);
    wire [17:0] maskb = mask(DATA_WIDTH_B, adb);
    wire [17:0] olda = memory[ada[13:4]];
    wire [17:0] oldb = memory[adb[13:4]];
    wire [17:0] newa = olda & ~maska | dia << first(DATA_WIDTH_A, ada) & maska;
    wire [17:0] newb = oldb & ~maskb | dib << first(DATA_WIDTH_B, adb) & maskb;

    // Asynchronous resets; synchronous ones are looked at with the clock.
    wire reseta = RESETMODE == "ASYNC" && RSTA === 1'b1;
    wire resetb = RESETMODE == "ASYNC" && RSTB === 1'b1;

    generate
        if (WIDE) begin : wide
            wire [9:0] low = {ada[13:5], 1'b0};
            wire [9:0] high = {ada[13:5], 1'b1};
            always @(posedge clka)
                if (ona) begin
                    if (ada[0]) memory[low][8:0] <= dia[8:0];
                    if (ada[1]) memory[low][17:9] <= dia[17:9];
                    if (ada[2]) memory[high][8:0] <= dib[8:0];
                    if (ada[3]) memory[high][17:9] <= dib[17:9];
                end
            // Narrower read ports appear at DOB alone.
            always @(posedge clkb or posedge resetb)
                if (resetb || RSTB === 1'b1) {outb, outa, registerb, registera} <= 0;
                else begin
                    if (OCEB === 1'b1) {registerb, registera} <= {outb, outa};
                    if (onb) begin
                        outa <= memory[{adb[13:5], 1'b0}];
                        if (DATA_WIDTH_B == 36) outb <= memory[{adb[13:5], 1'b1}];
                        else outb <= oldb >> first(DATA_WIDTH_B, adb);
                    end
                end
        end else begin : narrow
            always @(posedge clka)
                if (ona && WEA === 1'b1) memory[ada[13:4]] <= newa;
            always @(posedge clka or posedge reseta)
                if (reseta || RSTA === 1'b1) {outa, registera} <= 0;
                else begin
                    if (OCEA === 1'b1) registera <= outa;
                    if (ona) begin
                        if (WEA !== 1'b1 || WRITEMODE_A == "READBEFOREWRITE")
                            outa <= olda >> first(DATA_WIDTH_A, ada);
                        else if (WRITEMODE_A == "WRITETHROUGH") outa <= newa >> first(DATA_WIDTH_A, ada);
                    end
                end
            always @(posedge clkb)
                if (onb && WEB === 1'b1) memory[adb[13:4]] <= newb;
            always @(posedge clkb or posedge resetb)
                if (resetb || RSTB === 1'b1) {outb, registerb} <= 0;
                else begin
                    if (OCEB === 1'b1) registerb <= outb;
                    if (onb) begin
                        if (WEB !== 1'b1 || WRITEMODE_B == "READBEFOREWRITE")
                            outb <= oldb >> first(DATA_WIDTH_B, adb);
                        else if (WRITEMODE_B == "WRITETHROUGH") outb <= newb >> first(DATA_WIDTH_B, adb);
                    end
                end
        end
    endgenerate

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0}
        = REGMODE_A == "OUTREG" ? registera : outa;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0}
        = REGMODE_B == "OUTREG" ? registerb : outb;
endmodule

// The halves change places on the way out: DO[35:18] is the lower one (so Lattice's generated netlists are
// wired, and nextpnr's packer). The write address starts at a word.
module PDPW16KD #(
    parameter DATA_WIDTH_W = 36, DATA_WIDTH_R = 36,
    parameter REGMODE = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_W = "0b000", CSDECODE_R = "0b000",
    parameter CLKWMUX = "CLKW", CLKRMUX = "CLKR",
    parameter GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 320'b0, INITVAL_01 = 320'b0, INITVAL_02 = 320'b0, INITVAL_03 = 320'b0,
    INITVAL_04 = 320'b0, INITVAL_05 = 320'b0, INITVAL_06 = 320'b0, INITVAL_07 = 320'b0, INITVAL_08 = 320'b0,
    INITVAL_09 = 320'b0, INITVAL_0A = 320'b0, INITVAL_0B = 320'b0, INITVAL_0C = 320'b0, INITVAL_0D = 320'b0,
    INITVAL_0E = 320'b0, INITVAL_0F = 320'b0, INITVAL_10 = 320'b0, INITVAL_11 = 320'b0, INITVAL_12 = 320'b0,
    INITVAL_13 = 320'b0, INITVAL_14 = 320'b0, INITVAL_15 = 320'b0, INITVAL_16 = 320'b0, INITVAL_17 = 320'b0,
    INITVAL_18 = 320'b0, INITVAL_19 = 320'b0, INITVAL_1A = 320'b0, INITVAL_1B = 320'b0, INITVAL_1C = 320'b0,
    INITVAL_1D = 320'b0, INITVAL_1E = 320'b0, INITVAL_1F = 320'b0, INITVAL_20 = 320'b0, INITVAL_21 = 320'b0,
    INITVAL_22 = 320'b0, INITVAL_23 = 320'b0, INITVAL_24 = 320'b0, INITVAL_25 = 320'b0, INITVAL_26 = 320'b0,
    INITVAL_27 = 320'b0, INITVAL_28 = 320'b0, INITVAL_29 = 320'b0, INITVAL_2A = 320'b0, INITVAL_2B = 320'b0,
    INITVAL_2C = 320'b0, INITVAL_2D = 320'b0, INITVAL_2E = 320'b0, INITVAL_2F = 320'b0, INITVAL_30 = 320'b0,
    INITVAL_31 = 320'b0, INITVAL_32 = 320'b0, INITVAL_33 = 320'b0, INITVAL_34 = 320'b0, INITVAL_35 = 320'b0,
    INITVAL_36 = 320'b0, INITVAL_37 = 320'b0, INITVAL_38 = 320'b0, INITVAL_39 = 320'b0, INITVAL_3A = 320'b0,
    INITVAL_3B = 320'b0, INITVAL_3C = 320'b0, INITVAL_3D = 320'b0, INITVAL_3E = 320'b0, INITVAL_3F = 320'b0
) (
    input DI35, DI34, DI33, DI32, DI31, DI30, DI29, DI28, DI27, DI26, DI25, DI24, DI23, DI22, DI21, DI20,
    DI19, DI18, DI17, DI16, DI15, DI14, DI13, DI12, DI11, DI10, DI9, DI8, DI7, DI6, DI5, DI4, DI3, DI2, DI1,
    DI0, ADW8, ADW7, ADW6, ADW5, ADW4, ADW3, ADW2, ADW1, ADW0, BE3, BE2, BE1, BE0, CEW, CLKW, CSW2, CSW1,
    CSW0, ADR13, ADR12, ADR11, ADR10, ADR9, ADR8, ADR7, ADR6, ADR5, ADR4, ADR3, ADR2, ADR1, ADR0, CER, OCER,
    CLKR, CSR2, CSR1, CSR0, RST,
    output DO35, DO34, DO33, DO32, DO31, DO30, DO29, DO28, DO27, DO26, DO25, DO24, DO23, DO22, DO21, DO20,
    DO19, DO18, DO17, DO16, DO15, DO14, DO13, DO12, DO11, DO10, DO9, DO8, DO7, DO6, DO5, DO4, DO3, DO2, DO1,
    DO0
);
    DP16KD #(
        .DATA_WIDTH_A(36), .DATA_WIDTH_B(DATA_WIDTH_R), .REGMODE_A(REGMODE), .REGMODE_B(REGMODE),
        .RESETMODE(RESETMODE), .CSDECODE_A(CSDECODE_W), .CSDECODE_B(CSDECODE_R),
        .CLKAMUX(CLKWMUX == "INV" ? "INV" : "CLKA"), .CLKBMUX(CLKRMUX == "INV" ? "INV" : "CLKB"),
        .INITVAL_00(INITVAL_00), .INITVAL_01(INITVAL_01), .INITVAL_02(INITVAL_02), .INITVAL_03(INITVAL_03),
        .INITVAL_04(INITVAL_04), .INITVAL_05(INITVAL_05), .INITVAL_06(INITVAL_06), .INITVAL_07(INITVAL_07),
        .INITVAL_08(INITVAL_08), .INITVAL_09(INITVAL_09), .INITVAL_0A(INITVAL_0A), .INITVAL_0B(INITVAL_0B),
        .INITVAL_0C(INITVAL_0C), .INITVAL_0D(INITVAL_0D), .INITVAL_0E(INITVAL_0E), .INITVAL_0F(INITVAL_0F),
        .INITVAL_10(INITVAL_10), .INITVAL_11(INITVAL_11), .INITVAL_12(INITVAL_12), .INITVAL_13(INITVAL_13),
        .INITVAL_14(INITVAL_14), .INITVAL_15(INITVAL_15), .INITVAL_16(INITVAL_16), .INITVAL_17(INITVAL_17),
        .INITVAL_18(INITVAL_18), .INITVAL_19(INITVAL_19), .INITVAL_1A(INITVAL_1A), .INITVAL_1B(INITVAL_1B),
        .INITVAL_1C(INITVAL_1C), .INITVAL_1D(INITVAL_1D), .INITVAL_1E(INITVAL_1E), .INITVAL_1F(INITVAL_1F),
        .INITVAL_20(INITVAL_20), .INITVAL_21(INITVAL_21), .INITVAL_22(INITVAL_22), .INITVAL_23(INITVAL_23),
        .INITVAL_24(INITVAL_24), .INITVAL_25(INITVAL_25), .INITVAL_26(INITVAL_26), .INITVAL_27(INITVAL_27),
        .INITVAL_28(INITVAL_28), .INITVAL_29(INITVAL_29), .INITVAL_2A(INITVAL_2A), .INITVAL_2B(INITVAL_2B),
        .INITVAL_2C(INITVAL_2C), .INITVAL_2D(INITVAL_2D), .INITVAL_2E(INITVAL_2E), .INITVAL_2F(INITVAL_2F),
        .INITVAL_30(INITVAL_30), .INITVAL_31(INITVAL_31), .INITVAL_32(INITVAL_32), .INITVAL_33(INITVAL_33),
        .INITVAL_34(INITVAL_34), .INITVAL_35(INITVAL_35), .INITVAL_36(INITVAL_36), .INITVAL_37(INITVAL_37),
        .INITVAL_38(INITVAL_38), .INITVAL_39(INITVAL_39), .INITVAL_3A(INITVAL_3A), .INITVAL_3B(INITVAL_3B),
        .INITVAL_3C(INITVAL_3C), .INITVAL_3D(INITVAL_3D), .INITVAL_3E(INITVAL_3E), .INITVAL_3F(INITVAL_3F)
    ) memory (
        .DIA0(DI0), .DIA1(DI1), .DIA2(DI2), .DIA3(DI3), .DIA4(DI4), .DIA5(DI5), .DIA6(DI6), .DIA7(DI7),
        .DIA8(DI8), .DIA9(DI9), .DIA10(DI10), .DIA11(DI11), .DIA12(DI12), .DIA13(DI13), .DIA14(DI14),
        .DIA15(DI15), .DIA16(DI16), .DIA17(DI17), .DIB0(DI18), .DIB1(DI19), .DIB2(DI20), .DIB3(DI21),
        .DIB4(DI22), .DIB5(DI23), .DIB6(DI24), .DIB7(DI25), .DIB8(DI26), .DIB9(DI27), .DIB10(DI28),
        .DIB11(DI29), .DIB12(DI30), .DIB13(DI31), .DIB14(DI32), .DIB15(DI33), .DIB16(DI34), .DIB17(DI35),
        .ADA0(BE0), .ADA1(BE1), .ADA2(BE2), .ADA3(BE3), .ADA4(1'b0), .ADA5(ADW0), .ADA6(ADW1), .ADA7(ADW2),
        .ADA8(ADW3), .ADA9(ADW4), .ADA10(ADW5), .ADA11(ADW6), .ADA12(ADW7), .ADA13(ADW8), .ADB0(ADR0),
        .ADB1(ADR1), .ADB2(ADR2), .ADB3(ADR3), .ADB4(ADR4), .ADB5(ADR5), .ADB6(ADR6), .ADB7(ADR7),
        .ADB8(ADR8), .ADB9(ADR9), .ADB10(ADR10), .ADB11(ADR11), .ADB12(ADR12), .ADB13(ADR13), .CSA0(CSW0),
        .CSA1(CSW1), .CSA2(CSW2), .CSB0(CSR0), .CSB1(CSR1), .CSB2(CSR2), .CLKA(CLKW), .CEA(CEW), .WEA(1'b1),
        .OCEA(1'b0), .RSTA(1'b0), .CLKB(CLKR), .CEB(CER), .OCEB(OCER), .WEB(1'b0), .RSTB(RST), .DOA0(DO18),
        .DOA1(DO19), .DOA2(DO20), .DOA3(DO21), .DOA4(DO22), .DOA5(DO23), .DOA6(DO24), .DOA7(DO25),
        .DOA8(DO26), .DOA9(DO27), .DOA10(DO28), .DOA11(DO29), .DOA12(DO30), .DOA13(DO31), .DOA14(DO32),
        .DOA15(DO33), .DOA16(DO34), .DOA17(DO35), .DOB0(DO0), .DOB1(DO1), .DOB2(DO2), .DOB3(DO3), .DOB4(DO4),
        .DOB5(DO5), .DOB6(DO6), .DOB7(DO7), .DOB8(DO8), .DOB9(DO9), .DOB10(DO10), .DOB11(DO11), .DOB12(DO12),
        .DOB13(DO13), .DOB14(DO14), .DOB15(DO15), .DOB16(DO16), .DOB17(DO17)
    );
endmodule
